import path from 'node:path';
import { memoryName } from './abandoned-memory.js';
import type { MemoryCalls } from './memory-calls.js';
import { NamedMemory, type MappingCalls } from './named-memory.js';
import { npyHeader } from './npy.js';
import { checksumOf, TRAILER_BYTES, writeTrailer, type ProofMethod } from './proof.js';
import { SharedMemory } from './shared-memory.js';
import type { SlotMemory } from './slot-memory.js';
import { slotBytes, transferredAway, type MemoryName, type Shape, type Slot } from './slot.js';

/** Calls of the system that such memory needs: of one kind at most. */
export interface SlotCalls {
  /** See {@link SharedMemory}. */
  sealed?: MemoryCalls | undefined;
  /** See {@link NamedMemory}. */
  named?: MappingCalls | undefined;
}

/**
 * A slot in memory that workers map: sealed memory, of which they are handed the descriptor (Linux), or memory of which they
 * are told the name (Windows). There is no file that could be damaged.
 */
export class MemorySlot implements Slot {
  readonly id: string;
  readonly kind = 'npy';
  readonly shape: Shape;
  readonly fileBytes: number;
  readonly #header: Buffer;
  readonly #memory: SlotMemory;
  /** Of the pixels and of the trailer: made once for as long as the memory has its place. */
  #views: { buffer: ArrayBuffer; pixels: Uint8Array; trailer: Uint8Array } | undefined;
  /** What the host fills in place of the memory while that is crowded: a buffer that can be taken back. */
  #stand: ArrayBuffer | undefined;
  #generation = 0;
  #isDestroyed = false;

  private constructor(id: string, shape: Shape, header: Buffer, memory: SlotMemory) {
    this.id = id;
    this.shape = shape;
    this.#header = header;
    this.#memory = memory;
    this.fileBytes = slotBytes(shape);
  }

  /** `pool`: the name of its folder. */
  static async create(
    { sealed, named }: SlotCalls,
    pool: string,
    id: string,
    shape: Shape,
  ): Promise<MemorySlot | undefined> {
    const bytes = slotBytes(shape) + TRAILER_BYTES;
    const memory: SlotMemory | undefined = sealed
      ? await SharedMemory.create(sealed, memoryName(pool, id), bytes)
      : named && new NamedMemory(named, bytes);
    const header = npyHeader(shape.height, shape.width, shape.channels, shape.valueBytes);
    return memory && new MemorySlot(id, shape, header, memory);
  }

  get generation(): number {
    return this.#generation;
  }

  get descriptor(): number | undefined {
    return this.#memory.descriptor;
  }

  get lasting(): object {
    return this.#memory;
  }

  get memory(): MemoryName | undefined {
    const { name } = this.#memory;
    return name === undefined ? undefined : { name, bytes: this.fileBytes + TRAILER_BYTES };
  }

  get isDestroyed(): boolean {
    return this.#isDestroyed;
  }

  view(): Uint8Array {
    this.#memory.renew();
    const { pixels } = this.#viewsNow();
    this.#stand = this.#memory.isCrowded ? new ArrayBuffer(pixels.length) : undefined;
    return this.#stand ? new Uint8Array(this.#stand) : pixels;
  }

  revokeViews(): void {
    if (this.#stand) {
      if (this.#stand.byteLength > 0) structuredClone(this.#stand, { transfer: [this.#stand] });
      this.#stand = undefined;
      return;
    }
    this.#views = undefined; // the memory goes when nobody looks at it any more
    this.#memory.revoke();
  }

  commit(pixels: Uint8Array | undefined, isTheSame: boolean): void {
    const filled = pixels ?? (isTheSame || !this.#stand ? undefined : new Uint8Array(this.#stand));
    if (filled) {
      this.#memory.renew();
      const target = this.#viewsNow().pixels;
      if (!pixels && filled.length !== target.length) throw transferredAway(this.id);
      target.set(filled);
    }
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
    new Uint8Array(buffer).set(this.#header);
    const pixels = new Uint8Array(buffer, length, this.fileBytes - length);
    return (this.#views = { buffer, pixels, trailer: new Uint8Array(buffer, this.fileBytes) });
  }

  checksum(method: ProofMethod): string | Promise<string> {
    return checksumOf(method, this.#header, this.#viewsNow().pixels);
  }

  /** For a worker that cannot be handed the memory: a copy. */
  deliver(place: string): Promise<void> {
    return this.#memory.copyTo(path.join(place, `${this.id}.npy`), this.fileBytes + TRAILER_BYTES);
  }

  renew(): void {
    // Nobody else can have written it (Linux), and a copy in a file is made anew each time.
  }

  pixels(): Uint8Array {
    return this.#viewsNow().pixels;
  }

  save(file: string): Promise<void> {
    return this.#memory.copyTo(file, this.fileBytes);
  }

  async destroy(): Promise<void> {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    this.#views = undefined; // the memory goes when nobody looks at it any more
    await this.#memory.close();
  }
}
