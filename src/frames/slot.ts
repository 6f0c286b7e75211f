import { RunnerError } from '../errors.js';
import { npyHeader } from './npy.js';
import type { ProofMethod } from './proof.js';

/** Height × width × channels of a slot. */
export interface Shape {
  height: number;
  width: number;
  channels: 1 | 3;
  /** Of a value: 2 for uint16. @defaultValue 1 */
  valueBytes?: 1 | 2;
}

/** Memory with a name, and how many bytes of it there are: the image, then its trailer. */
export interface MemoryName {
  name: string;
  bytes: number;
}

/** An image that is complete, for the workers that are to read it. */
export interface KeptImage {
  /** As a file it is `<id>.npy`, or `<id>.bin` when it is encoded. */
  readonly id: string;
  readonly kind: 'npy' | 'bin';
  /** Header and pixels, or the encoded bytes. */
  readonly fileBytes: number;
  /** Which filling this is, from 1. */
  readonly generation: number;
  /** Of memory that a worker is handed; undefined where it has to open the file. */
  readonly descriptor: number | undefined;
  /** See {@link SentImage.lasting}. */
  readonly lasting?: object | undefined;
  /** Of memory that a worker finds by its name (Windows). */
  readonly memory?: MemoryName | undefined;
  /** Of the host's own bytes; see {@link checksumOf}. */
  checksum(method: ProofMethod): string | Promise<string>;
  /** Makes sure that the file is in this folder, whole and as it was written. @throws an error of the system */
  deliver(place: string): Promise<void>;
  /** A worker has read something else: what was delivered is made anew at the next delivery, however whole it looks. */
  renew(): void;
  /**
   * The pixels as a worker reads them, for a look before the event loop goes on: later they may be another picture's. Undefined for
   * encoded bytes.
   */
  pixels(): Uint8Array | undefined;
  /** Writes a copy to a file. */
  save(file: string): Promise<void>;
}

/** What is kept of an image between its filling and the end of its calls, used for image after image of its shape. */
export interface Slot extends KeptImage {
  readonly kind: 'npy';
  readonly shape: Shape;
  /** Whether nothing of it can be found any more, because the pool was closed. */
  readonly isDestroyed: boolean;
  /** The pixels, for the host to fill. */
  view(): Uint8Array;
  /** Detaches the views that were handed out from the slot: a kept view cannot reach the next image. */
  revokeViews(): void;
  /**
   * Makes an image complete: `pixels`, or what was filled into the view; with the next generation unless it `isTheSame`.
   * @throws RunnerError `invalid_image` when the host gave the view away
   */
  commit(pixels: Uint8Array | undefined, isTheSame: boolean): void;
  /** Its calls are over: a reader that still maps the memory can see that the next content is another picture. */
  retire(): void;
  destroy(): Promise<void>;
}

/** Bytes that a slot of this shape takes. */
export function slotBytes({ height, width, channels, valueBytes = 1 }: Shape): number {
  return npyHeader(height, width, channels, valueBytes).length + height * width * channels * valueBytes;
}

/** The host gave the view of a frame away. */
export function transferredAway(id: string): RunnerError {
  return new RunnerError(
    'invalid_image',
    `The pixels of frame ${id} were transferred to another thread, and nothing of the image is left here: ` +
      'copy them instead, or hand the image over as { data }',
  );
}
