import type { MemoryCalls } from './memory-calls.js';
import { memoryName } from './abandoned-memory.js';
import { copyOut } from './copy-out.js';
import { npyHeader } from './npy.js';
import { checksumOf, trailerOf, TRAILER_BYTES, type ProofMethod } from './proof.js';
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
    const { length } = this.#header;
    return new Uint8Array(this.#memory.buffer, length, this.fileBytes - length);
  }

  revokeViews(): void {
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
    new Uint8Array(this.#memory.buffer, this.fileBytes).set(trailerOf(generation));
  }

  checksum(method: ProofMethod): Promise<string> {
    return checksumOf(method, this.#header, this.view());
  }

  /** For a worker that cannot be handed the memory: a copy. */
  deliver(place: string): Promise<void> {
    return copyOut(this.descriptor, this.fileBytes + TRAILER_BYTES, `${place}/${this.id}.npy`);
  }

  renew(): void {
    // Nobody else can have written it.
  }

  save(file: string): Promise<void> {
    return copyOut(this.descriptor, this.fileBytes, file);
  }

  async destroy(): Promise<void> {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    await this.#memory.close();
  }
}
