import { sha256 } from '../log/sha256.js';
import { indexIn, leavesKey, rangeOf } from './keys.js';
import type { LevelReader } from './level.js';

/** Bytes of a leaf's data: the digit of the priority, then the SHA-256 of the record as it is stored. */
export const LEAF_BYTES = 33;

/** What is a leaf of the log: the digit of the priority, then the SHA-256 of the record as it is stored. */
export function leafData(digit: number, record: Uint8Array): Buffer {
  const data = Buffer.allocUnsafe(LEAF_BYTES);
  data[0] = digit;
  sha256(record).copy(data, 1);
  return data;
}

/** Reads an entry with the leaves of a batch, in order. Bytes that are not a whole leaf are the last. */
export function leavesIn(entry: Buffer): Buffer[] {
  const leaves: Buffer[] = [];
  for (let at = 0; at < entry.length; at += LEAF_BYTES) leaves.push(entry.subarray(at, at + LEAF_BYTES));
  return leaves;
}

/** Leaves from an index on, up to and not including another: as many as there are without a gap. */
export async function* leavesFrom(
  reader: LevelReader,
  from: number,
  to: number,
): AsyncGenerator<Buffer, undefined> {
  let next = from;
  for await (const [key, entry] of reader.iterator(rangeOf('l', await firstEntry(reader, from), to))) {
    const first = indexIn(key);
    if (first > next) return;
    for (const leaf of leavesIn(entry).slice(next - first, to - first)) {
      yield leaf;
      next++;
    }
  }
}

/** Which leaf the entry begins with that has this one. */
async function firstEntry(reader: LevelReader, index: number): Promise<number> {
  const before = { gte: leavesKey(0), lt: leavesKey(index + 1), reverse: true, limit: 1 };
  for await (const [key] of reader.iterator(before)) return indexIn(key);
  return index;
}
