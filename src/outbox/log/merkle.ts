/**
 * The Merkle tree of RFC 9162 (Certificate Transparency 2.0), section 2.1, over SHA-256: hashes of leaves and of inner nodes begin
 * with different bytes, so that neither passes for the other.
 */
import { sha256 } from './sha256.js';

const LEAF = 0;
const NODE = 1;

/** The node over the leaves `index × 2^level` to `(index + 1) × 2^level - 1`, all of them there. */
export type NodeReader = (level: number, index: number) => Promise<Buffer>;

/** Hash of a leaf. */
export function leafHash(data: Uint8Array): Buffer {
  const hashed = Buffer.allocUnsafe(1 + data.length);
  hashed[0] = LEAF;
  hashed.set(data, 1);
  return sha256(hashed);
}

/** Hash of an inner node. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  const hashed = Buffer.allocUnsafe(1 + left.length + right.length);
  hashed[0] = NODE;
  hashed.set(left, 1);
  hashed.set(right, 1 + left.length);
  return sha256(hashed);
}

/** The right edge of a tree: what is needed to add leaves, and for the root. */
export class Frontier {
  /** Of the full subtrees from left to right: their sizes are the powers of two in `size`. */
  readonly #hashes: Buffer[];
  #size: number;

  constructor(size = 0, hashes: readonly Buffer[] = []) {
    this.#size = size;
    this.#hashes = [...hashes];
  }

  get size(): number {
    return this.#size;
  }

  get hashes(): readonly Buffer[] {
    return this.#hashes;
  }

  /** Adds a leaf by its hash. `onNode` gets each inner node that is whole now. */
  append(hash: Buffer, onNode?: (level: number, index: number, hash: Buffer) => void): void {
    let index = this.#size++;
    let whole = hash;
    for (let level = 1; index % 2 === 1; level++) {
      const left = this.#hashes.pop();
      if (!left) throw new Error('the right edge of the tree has too few hashes');
      whole = nodeHash(left, whole);
      index = (index - 1) / 2;
      onNode?.(level, index, whole);
    }
    this.#hashes.push(whole);
  }

  /** Of the whole tree; that of no leaves is the hash of nothing. */
  root(): Buffer {
    const [last, ...others] = this.#hashes.toReversed();
    if (!last) return sha256(Buffer.alloc(0));
    return others.reduce((right, left) => nodeHash(left, right), last);
  }
}

/** Path from a leaf to the root of the tree of the first `size` leaves (RFC 9162, 2.1.3.1). */
export async function inclusionPath(read: NodeReader, index: number, size: number): Promise<Buffer[]> {
  const path = async (from: number, to: number): Promise<Buffer[]> => {
    if (to - from === 1) return [];
    const middle = from + splitOf(to - from);
    return index < middle
      ? [...(await path(from, middle)), await rangeHash(read, middle, to)]
      : [...(await path(middle, to)), await rangeHash(read, from, middle)];
  };
  return path(0, size);
}

/** What shows that the first `first` of `size` leaves are the tree of an earlier head (RFC 9162, 2.1.4.1). */
export async function consistencyPath(read: NodeReader, first: number, size: number): Promise<Buffer[]> {
  const path = async (from: number, to: number, isWhole: boolean): Promise<Buffer[]> => {
    if (first === to) return isWhole ? [] : [await rangeHash(read, from, to)];
    const middle = from + splitOf(to - from);
    return first <= middle
      ? [...(await path(from, middle, isWhole)), await rangeHash(read, middle, to)]
      : [...(await path(middle, to, false)), await rangeHash(read, from, middle)];
  };
  return first === 0 || first === size ? [] : path(0, size, true);
}

/** Whether a path leads from a leaf to a root (RFC 9162, 2.1.3.2). */
export function isIncluded(
  leaf: Buffer,
  index: number,
  size: number,
  path: readonly Buffer[],
  root: Buffer,
): boolean {
  if (index >= size) return false;
  let [at, last, hash] = [index, size - 1, leaf];
  for (const other of path) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      hash = nodeHash(other, hash);
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
    } else {
      hash = nodeHash(hash, other);
    }
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && hash.equals(root);
}

/** Whether a tree goes on from an earlier one (RFC 9162, 2.1.4.2). */
export function isConsistent(
  earlier: { size: number; root: Buffer },
  later: { size: number; root: Buffer },
  path: readonly Buffer[],
): boolean {
  if (earlier.size > later.size) return false;
  if (earlier.size === later.size) return path.length === 0 && earlier.root.equals(later.root);
  if (earlier.size === 0) return path.length === 0;
  let [at, last] = [earlier.size - 1, later.size - 1];
  while (at % 2 === 1) [at, last] = [half(at), half(last)];
  // An earlier tree that is one full subtree has its root as the first hash.
  const [first, ...others] = at === 0 && isPowerOfTwo(earlier.size) ? [earlier.root, ...path] : path;
  if (!first) return false;
  let [before, after] = [first, first];
  for (const other of others) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      before = nodeHash(other, before);
      after = nodeHash(other, after);
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
    } else {
      after = nodeHash(after, other);
    }
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && before.equals(earlier.root) && after.equals(later.root);
}

/** Hash over leaves of which the first is at a multiple of the largest power of two below their number. */
async function rangeHash(read: NodeReader, from: number, to: number): Promise<Buffer> {
  const size = to - from;
  if (isPowerOfTwo(size)) return read(Math.log2(size), from / size);
  const middle = from + splitOf(size);
  return nodeHash(await rangeHash(read, from, middle), await rangeHash(read, middle, to));
}

/** The largest power of two that is smaller. */
function splitOf(size: number): number {
  const power = 2 ** Math.floor(Math.log2(size));
  return power === size ? power / 2 : power;
}

function isPowerOfTwo(size: number): boolean {
  return Number.isInteger(Math.log2(size));
}

/** Not by a shift: those of JavaScript have 32 bits. */
function half(value: number): number {
  return Math.floor(value / 2);
}
