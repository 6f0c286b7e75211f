import { writeFile } from 'node:fs/promises';
import type { FrameFolder } from './frame-folder.js';
import { npyHeader } from './npy.js';
import { PlacedFiles } from './placed-files.js';
import { checksumOf, type ProofMethod } from './proof.js';
import { slotBytes, transferredAway, type Shape, type Slot } from './slot.js';

/**
 * A slot without shared memory: its pixels are a buffer of this process alone, and are written to a `.npy` file in the
 * folder of the workers that are to read them.
 */
export class FileSlot implements Slot {
  readonly id: string;
  readonly kind = 'npy';
  readonly shape: Shape;
  readonly fileBytes: number;
  readonly descriptor = undefined;
  readonly #header: Buffer;
  readonly #files: PlacedFiles;
  #buffer: ArrayBuffer | undefined;
  /** The image as it was committed: the caller's bytes, which stay as they are until its call is answered, or the buffer. */
  #source: Uint8Array | undefined;
  #generation = 0;
  #isDestroyed = false;

  constructor(folder: FrameFolder, id: string, shape: Shape) {
    this.id = id;
    this.shape = shape;
    this.#header = npyHeader(shape.height, shape.width, shape.channels, shape.valueBytes);
    this.fileBytes = slotBytes(shape);
    this.#files = new PlacedFiles(folder, `${id}.npy`);
  }

  get generation(): number {
    return this.#generation;
  }

  get isDestroyed(): boolean {
    return this.#isDestroyed;
  }

  /** Made when first asked for. */
  view(): Uint8Array {
    this.#buffer ??= new ArrayBuffer(this.#pixelBytes);
    return new Uint8Array(this.#buffer);
  }

  revokeViews(): void {
    if (!this.#buffer) return;
    const isSource = this.#source?.buffer === this.#buffer;
    // Transferring empties the views and keeps the memory, without a copy. A host that has transferred it left none.
    this.#buffer = this.#hasBuffer ? structuredClone(this.#buffer, { transfer: [this.#buffer] }) : undefined;
    if (isSource) this.#source = this.#buffer && new Uint8Array(this.#buffer);
  }

  commit(pixels: Uint8Array | undefined, isTheSame: boolean): void {
    if (!pixels && !this.#hasBuffer) {
      throw transferredAway(this.id);
    }
    if (isTheSame) return;
    this.#source = pixels ?? this.view();
    this.#generation++;
  }

  checksum(method: ProofMethod): string | Promise<string> {
    return checksumOf(method, this.#header, this.#body);
  }

  deliver(place: string): Promise<void> {
    return this.#files.ensure(place, {
      header: this.#header,
      body: this.#body,
      generation: this.#generation,
    });
  }

  renew(): void {
    this.#files.renew();
  }

  pixels(): Uint8Array {
    return this.#body;
  }

  async save(file: string): Promise<void> {
    await writeFile(file, Buffer.concat([this.#header, this.#body]));
  }

  retire(): void {
    // A worker has read the file before its call ended.
  }

  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    this.revokeViews();
    await this.#files.remove(); // what is being written is written from the buffer
    this.#buffer = undefined;
    this.#source = undefined;
  }

  get #body(): Uint8Array {
    return this.#source ?? this.view();
  }

  get #pixelBytes(): number {
    return this.fileBytes - this.#header.length;
  }

  get #hasBuffer(): boolean {
    return this.#buffer?.byteLength === this.#pixelBytes;
  }
}
