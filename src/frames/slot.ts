import { open, unlink, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { RunnerError } from '../errors.js';
import { FRAME_MODE } from './frame-folder.js';
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
  #isDestroyed = false;

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

  /**
   * Makes the file. Every byte is written, so that the file has its memory from the start: a hole in it would get some
   * when an image is written, and where there is none a mapped write ends the process (SIGBUS).
   */
  static async create(folder: string, id: string, shape: Shape, mapper: Mapper | undefined): Promise<Slot> {
    const filePath = path.join(folder, `${id}.npy`);
    const file = await open(filePath, 'wx+', FRAME_MODE);
    try {
      await file.chmod(FRAME_MODE);
      const header = npyHeader(shape.height, shape.width, shape.channels);
      await writeWhole(file, header, 0);
      const total = Slot.bytesOf(shape);
      for (let at = header.length; at < total; at += ZEROS.length) {
        await writeWhole(file, ZEROS.subarray(0, Math.min(ZEROS.length, total - at)), at);
      }
      return new Slot(id, shape, file, filePath, header.length, mapper);
    } catch (error) {
      await file.close();
      await unlink(filePath).catch(() => undefined);
      throw error;
    }
  }

  /** Whether the file is gone, because the pool was closed. */
  get isDestroyed(): boolean {
    return this.#isDestroyed;
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
    if (!this.#buffer) return;
    // Transferring empties the views and keeps the memory, without a copy. A host that has transferred it left none.
    this.#buffer = this.#hasBuffer ? structuredClone(this.#buffer, { transfer: [this.#buffer] }) : undefined;
  }

  /** Brings what was written into the view to the file. @throws RunnerError `invalid_image` when the host gave the view away */
  async flush(): Promise<void> {
    if (this.#mapping || !this.#buffer) return;
    if (!this.#hasBuffer) {
      throw new RunnerError(
        'invalid_image',
        `The pixels of frame ${this.id} were transferred to another thread, and nothing of the image is left here: ` +
          'copy them instead, or hand the image over as { data }',
      );
    }
    await writeWhole(this.#file, new Uint8Array(this.#buffer), this.#headerBytes);
  }

  /** Writes an image in one copy. */
  async write(pixels: Uint8Array): Promise<void> {
    if (this.#mapping) this.view().set(pixels);
    else await writeWhole(this.#file, pixels, this.#headerBytes);
  }

  /** Closes and removes the file. */
  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    this.revokeViews();
    this.#buffer = undefined;
    await this.#file.close();
    await unlink(this.#path).catch(() => undefined);
  }

  get #hasBuffer(): boolean {
    return this.#buffer?.byteLength === this.pixelBytes;
  }
}

/** All of the bytes or an error: where memory ends, the system writes a part and says so only to those who look. */
async function writeWhole(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  const { length } = bytes;
  for (let done = 0; done < length;) {
    const { bytesWritten } = await file.write(bytes, done, length - done, at + done);
    if (bytesWritten === 0) throw new Error(`${length - done} of ${length} bytes could not be written`);
    done += bytesWritten;
  }
}
