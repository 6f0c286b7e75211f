import { open, unlink, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import type { MappedFile, Mapper } from './memory-mapping.js';
import { npyHeader } from './npy.js';

/** Height × width × channels of a slot. */
export interface Shape {
  height: number;
  width: number;
  channels: 1 | 3;
}

const ZEROS = Buffer.alloc(1 << 20);

/**
 * One preallocated `.npy` file that is used for image after image of its shape. With a mapper its pixels are the
 * file's own memory; without, they are a buffer that is written through the open file.
 */
export class Slot {
  readonly id: string;
  readonly shape: Shape;
  /** Header and pixels. */
  readonly fileBytes: number;
  readonly pixelBytes: number;
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #headerBytes: number;
  readonly #mapping: MappedFile | undefined;
  #buffer: ArrayBuffer | undefined;

  private constructor(
    id: string,
    shape: Shape,
    file: FileHandle,
    filePath: string,
    headerBytes: number,
    mapper: Mapper | undefined,
  ) {
    this.id = id;
    this.shape = shape;
    this.#file = file;
    this.#path = filePath;
    this.#headerBytes = headerBytes;
    this.pixelBytes = shape.height * shape.width * shape.channels;
    this.fileBytes = headerBytes + this.pixelBytes;
    this.#mapping = mapper?.(file, this.fileBytes);
  }

  /** Bytes that a slot of this shape takes. */
  static bytesOf({ height, width, channels }: Shape): number {
    return npyHeader(height, width, channels).length + height * width * channels;
  }

  /** Makes the file. Every byte is written, so that a full memory shows here and not as SIGBUS in the middle of an image. */
  static async create(folder: string, id: string, shape: Shape, mapper: Mapper | undefined): Promise<Slot> {
    const filePath = path.join(folder, `${id}.npy`);
    const file = await open(filePath, 'wx+', 0o600);
    try {
      const header = npyHeader(shape.height, shape.width, shape.channels);
      await file.write(header, 0, header.length, 0);
      const total = Slot.bytesOf(shape);
      for (let at = header.length; at < total; at += ZEROS.length) {
        await file.write(ZEROS, 0, Math.min(ZEROS.length, total - at), at);
      }
      return new Slot(id, shape, file, filePath, header.length, mapper);
    } catch (error) {
      await file.close();
      await unlink(filePath).catch(() => undefined);
      throw error;
    }
  }

  /** The pixels. Without a mapping they are a buffer that is made when first asked for. */
  view(): Uint8Array {
    if (this.#mapping) return new Uint8Array(this.#mapping.buffer, this.#headerBytes, this.pixelBytes);
    this.#buffer ??= new ArrayBuffer(this.pixelBytes);
    return new Uint8Array(this.#buffer);
  }

  /** Parts the views that were handed out from the slot: whoever kept one cannot reach the next image. */
  revokeViews(): void {
    this.#mapping?.revoke();
    // Transferring empties the views and keeps the memory, without a copy.
    if (this.#buffer) this.#buffer = structuredClone(this.#buffer, { transfer: [this.#buffer] });
  }

  /** Brings what was written into the view to the file. */
  async flush(): Promise<void> {
    if (!this.#mapping && this.#buffer) await this.#writePixels(new Uint8Array(this.#buffer));
  }

  /** Writes an image in one copy. */
  async write(pixels: Uint8Array): Promise<void> {
    if (this.#mapping) this.view().set(pixels);
    else await this.#writePixels(pixels);
  }

  /** Closes and removes the file. */
  async destroy(): Promise<void> {
    this.revokeViews();
    this.#buffer = undefined;
    await this.#file.close();
    await unlink(this.#path).catch(() => undefined);
  }

  async #writePixels(pixels: Uint8Array): Promise<void> {
    let done = 0;
    while (done < pixels.length) {
      const { bytesWritten } = await this.#file.write(
        pixels,
        done,
        pixels.length - done,
        this.#headerBytes + done,
      );
      done += bytesWritten;
    }
  }
}
