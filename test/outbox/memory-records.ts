import type { LevelReader, Range } from '../../src/outbox/storage/level.js';
import { leafData, leavesIn } from '../../src/outbox/storage/leaves.js';

/** Entries of a store, in memory, to alter and to read. */
export class MemoryRecords implements LevelReader {
  readonly #entries: Map<string, Buffer>;
  #sorted: string[] | undefined;

  constructor(entries: readonly [string, Buffer][]) {
    this.#entries = new Map(entries);
  }

  get(key: string): Promise<Buffer | undefined> {
    return Promise.resolve(this.#entries.get(key));
  }

  async *iterator({ gte, lt }: Range): AsyncGenerator<[string, Buffer]> {
    await Promise.resolve();
    this.#sorted ??= [...this.#entries.keys()].sort();
    for (const key of this.#sorted) if (key >= gte && key < lt) yield [key, this.at(key)];
  }

  at(key: string): Buffer {
    const value = this.#entries.get(key);
    if (!value) throw new Error(`no ${key}`);
    return value;
  }

  set(key: string, value: Buffer): void {
    this.#entries.set(key, value);
    this.#sorted = undefined;
  }

  delete(key: string): void {
    this.#entries.delete(key);
    this.#sorted = undefined;
  }

  swap(one: string, other: string): void {
    const [first, second] = [this.at(one), this.at(other)];
    this.set(one, second);
    this.set(other, first);
  }

  keysWith(prefix: string): string[] {
    return [...this.#entries.keys()].filter((key) => key.startsWith(prefix)).sort();
  }

  leafOf(key: string): Buffer {
    return leafData(Number(key[1]), this.at(key));
  }

  /** All leaves, in order. */
  leaves(): Buffer[] {
    return this.keysWith('l').flatMap((key) => leavesIn(this.at(key)));
  }

  /** Puts other leaves in place of some, in the entry of the first: none removes them. */
  setLeaves(index: number, count: number, ...leaves: Buffer[]): void {
    const key = this.keysWith('l').findLast((one) => Number(one.slice(1)) <= index) ?? '';
    const entry = leavesIn(this.at(key));
    entry.splice(index - Number(key.slice(1)), count, ...leaves);
    this.set(key, Buffer.concat(entry));
  }

  /** Removes the leaves from an index on. */
  cutLeaves(index: number): void {
    this.setLeaves(index, Infinity);
    for (const key of this.keysWith('l')) if (Number(key.slice(1)) > index) this.delete(key);
  }

  /** Keys of records whose leaves are there alone. */
  removedKeys(): string[] {
    return this.leaves()
      .map((leaf, index) => `r${leaf[0] ?? 0}${String(index).padStart(16, '0')}`)
      .filter((key) => !this.#entries.has(key));
  }
}
