import type { MemoryCalls } from './memory-calls.js';
import { memoryName } from './abandoned-memory.js';
import { copyOut } from './copy-out.js';
import { npyHeader } from './npy.js';
import { checksumOf, TRAILER_BYTES, writeTrailer, type ProofMethod } from './proof.js';
import { SharedMemory } from './shared-memory.js';
import { slotBytes, type Shape, type Slot } from './slot.js';

/** A slot in sealed memory, which workers are handed the descriptor of. There is no file that could be damaged. */
export class MemorySlot implements Slot {
  readonly id: string;
  readonly kind = 'npy';
  readonly shape: Shape;
  readonly fileBytes: number;
  readonly #header: Buffer;
  readonly #memory: SharedMemory;
  /** Of the pixels and of the trailer: made once for as long as the memory has its place. */
  #views: { buffer: ArrayBuffer; pixels: Uint8Array; trailer: Uint8Array } | undefined;
  #generation = 0;
  #isDestroyed = false;

  private constructor(id: string, shape: Shape, header: Buffer, memory: SharedMemory) {
    this.id = id;
    this.shape = shape;
    this.#header = header;
    this.#memory = memory;
    this.fileBytes = slotBytes(shape);
  }

  /** `pool`: the name of its folder. */
  static async create(calls: MemoryCalls, pool: string, id: string, shape: Shape): Promise<MemorySlot> {
    const header = npyHeader(shape.height, shape.width, shape.channels, shape.valueBytes);
    const memory = await SharedMemory.create(calls, memoryName(pool, id), slotBytes(shape) + TRAILER_BYTES);
    new Uint8Array(memory.buffer).set(header);
    return new MemorySlot(id, shape, header, memory);
  }

  get generation(): number {
    return this.#generation;
  }

  get descriptor(): number {
    return this.#memory.descriptor;
  }

  get isDestroyed(): boolean {
    return this.#isDestroyed;
  }

  view(): Uint8Array {
    return this.#viewsNow().pixels;
  }

  revokeViews(): void {
    this.#views = undefined; // the memory goes when nobody looks at it any more
    this.#memory.revoke();
  }

  commit(pixels: Uint8Array | undefined, isTheSame: boolean): void {
    if (pixels) this.view().set(pixels);
    if (isTheSame) return;
    this.#generation++;
    this.#sign(this.#generation);
  }

  retire(): void {
    if (!this.#isDestroyed) this.#sign(0);
  }

  #sign(generation: number): void {
    writeTrailer(this.#viewsNow().trailer, generation);
  }

  #viewsNow() {
    const { buffer } = this.#memory;
    if (this.#views?.buffer === buffer) return this.#views;
    const { length } = this.#header;
    const pixels = new Uint8Array(buffer, length, this.fileBytes - length);
    return (this.#views = { buffer, pixels, trailer: new Uint8Array(buffer, this.fileBytes) });
  }

  checksum(method: ProofMethod): string | Promise<string> {
    return checksumOf(method, this.#header, this.view());
  }

  /** For a worker that cannot be handed the memory: a copy. */
  deliver(place: string): Promise<void> {
    return copyOut(this.descriptor, this.fileBytes + TRAILER_BYTES, `${place}/${this.id}.npy`);
  }

  renew(): void {
    // Nobody else can have written it.
  }

  pixels(): Uint8Array {
    return this.view();
  }

  save(file: string): Promise<void> {
    return copyOut(this.descriptor, this.fileBytes, file);
  }

  async destroy(): Promise<void> {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    this.#views = undefined; // the memory goes when nobody looks at it any more
    await this.#memory.close();
  }
}
