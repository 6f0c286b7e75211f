import type { ProvenImage } from './proof.js';

/** What the algorithm is told about an image (`image_meta` on the wire). */
export interface ImageMeta {
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  /** Unix time in milliseconds. */
  timestamp_ms: number;
  /** Which camera took it. */
  camera_id: string;
  /** Order of the channels. */
  color_space?: 'RGB' | 'BGR';
}

/** Shape and origin of an image a host hands over. */
export interface FrameMeta {
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  /** Bytes of a pixel. @defaultValue 3 */
  channels?: 1 | 3;
  /** Order of the channels in memory. @defaultValue 'RGB' */
  colorSpace?: 'RGB' | 'BGR';
  /** Which camera took it. @defaultValue 'camera' */
  cameraId?: string;
  /** Unix time in milliseconds. @defaultValue now */
  timestampMs?: number;
}

/** A slot of shared memory that holds one image. */
export interface Frame {
  /** Shared-memory id, safe as a file name: what the algorithm reads the image by. */
  readonly id: string;
  /**
   * Height × width × channels bytes, row-major; writable until the frame is sent, and again when its calls have ended.
   *
   * @throws RunnerError `frame_released`; `closed` after the pool was closed
   */
  readonly pixels: Uint8Array;
  /** Shape and origin, defaults filled in. */
  readonly meta: Readonly<Required<FrameMeta>>;
  /** Gives the slot back. Twice is an error (`frame_released`). */
  release(): void;
}

/** An image as a host hands it over. `data` holds height × width × channels bytes, row-major. */
export type ImageInput =
  | ({
      /** The pixels; copied, so that they are the caller's again once the call is answered. */
      data: Uint8Array;
    } & FrameMeta)
  | ({
      /**
       * A whole JPEG or PNG of that width and height, gray or RGB of 8 bits a channel. It is decoded here, not by the
       * package; `channels` is that of the picture. `colorSpace` says in which order its channels were encoded.
       */
      encoded: Uint8Array;
    } & FrameMeta)
  | Frame;

/** How full a pool is. */
export interface FrameUsage {
  /** Slots made. */
  slots: number;
  /** Slots that nobody uses. */
  idle: number;
  /** Bytes of all slots. */
  bytes: number;
  /** Whether slots are sealed memory that this process and its workers map; otherwise they are files. */
  mapped: boolean;
}

/** An image that a worker can find, until it is given back. */
export interface SentImage {
  /** Shared-memory id. */
  id: string;
  /** As a file it is `<id>.npy`, or `<id>.bin` when it is encoded. */
  kind: 'npy' | 'bin';
  /** What the algorithm is told about it. */
  meta: ImageMeta;
  /** Header and pixels, or the encoded bytes. */
  sizeBytes: number;
  /** Of the memory it is in, which the worker is handed; undefined where it has to open a file. */
  descriptor: number | undefined;
  /** Whether the host has decoded it from a JPEG or PNG. */
  isDecoded: boolean;
  /** What a worker that reads it must report; undefined when nothing is to be proven. */
  proof?: ProvenImage;
  /** Whether the worker cannot find it any more, because the pool was closed: what it answers is worth nothing. */
  readonly isLost: boolean;
  /**
   * Makes sure that the file is whole in the folder of a worker that is not handed the memory.
   * @throws an error of the system
   */
  deliver: (place: string) => Promise<void>;
  /** A worker has read something else, or nothing: the file is made anew at the next delivery, however whole it looks. */
  renew: () => void;
  /** Writes a copy of it to a file. @throws an error of the system */
  save: (file: string) => Promise<void>;
  /** The call is over. With `until`, the slot stays untouched until that promise settles: a worker may still read it. */
  done: (until?: Promise<unknown>) => void;
}
