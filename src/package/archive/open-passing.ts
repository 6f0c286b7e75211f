import type { FileRange } from '../archive-types.js';
import type { LoadedArchive } from './load-archive.js';

/** A stretch of something that passed by and was not kept. */
class NotKept extends Error {
  constructor(readonly range: FileRange) {
    super(`bytes ${range.offset} to ${range.offset + range.length} were not kept`);
  }
}

/** What is to be kept of bytes that pass by. */
export interface Wanted {
  /** So many at the front. */
  head: number;
  /** So many at the end. */
  tail: number;
  /** And these. */
  ranges: readonly FileRange[];
}

interface Part {
  start: number;
  bytes: Buffer;
}

/**
 * Parts of the content of an entry that was inflated as a stream: an archive inside an archive is read from its end, but
 * what is compressed passes from its front. Read like a buffer; what was not kept throws {@link NotKept}.
 */
export class KeptParts {
  readonly size: number;
  readonly #parts: Part[] = [];

  constructor(size: number) {
    this.size = size;
  }

  get keptBytes(): number {
    return this.#parts.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  /** Takes what is wanted of the content as it passes. */
  async take(chunks: AsyncIterable<Buffer>, { head, tail, ranges }: Wanted): Promise<void> {
    const tailStart = Math.max(0, this.size - tail);
    const wanted = [
      { offset: 0, length: head },
      ...ranges,
      { offset: tailStart, length: this.size - tailStart },
    ];
    let at = 0;
    for await (const chunk of chunks) {
      for (const { offset, length } of wanted) {
        const from = Math.max(0, offset - at);
        const to = Math.min(chunk.length, offset + length - at);
        // A copy: the chunk would hold a quarter of a megabyte for a header.
        if (from < to) this.#parts.push({ start: at + from, bytes: Buffer.from(chunk.subarray(from, to)) });
      }
      at += chunk.length;
    }
    this.#parts.sort((a, b) => a.start - b.start || b.bytes.length - a.bytes.length);
  }

  /** Whether a stretch can be read. */
  has({ offset, length }: FileRange): boolean {
    let at = offset;
    for (const { start, bytes } of this.#parts) {
      if (start > at) break;
      at = Math.max(at, start + bytes.length);
    }
    return at >= offset + length;
  }

  /** As {@link Buffer.copy}. @throws NotKept */
  copy(into: Buffer, at: number, from: number, to: number): number {
    let next = from;
    for (const { start, bytes } of this.#parts) {
      if (next >= to || start > next) break;
      const end = Math.min(to, start + bytes.length);
      if (end <= next) continue;
      bytes.copy(into, at + next - from, next - start, end - start);
      next = end;
    }
    if (next < to) throw new NotKept({ offset: next, length: to - next });
    return to - from;
  }
}

/**
 * A wheel has its `.dist-info` at its end, as PEP 427 recommends, or begins with its METADATA, as maturin writes it: with
 * these parts of it one pass will do for nearly all.
 */
const HEAD_BYTES = 256 * 1024;
const LEAST_TAIL_BYTES = 256 * 1024;
const MOST_TAIL_BYTES = 2 * 1024 * 1024;
/** Directory and RECORD of a wheel of many small files; those of large libraries take a hundredth of it. */
const TAIL_PART = 16;

/** More is not kept of one archive, however long its directory is. */
const MOST_KEPT_BYTES = 32 * 1024 * 1024;

/** One for the end, one for a directory longer than that, one for entries that lie elsewhere. */
const MOST_PASSES = 3;

/** Large: each chunk is a way to a thread and back, and memory that the garbage collector hears of. */
const CHUNK_BYTES = 1024 * 1024;

/** Buffers that a content is read through, in turn. */
export type Ring = readonly Buffer[];

/** See {@link Ring}. They may be used for one archive after the other. */
export function makeRing(): Ring {
  return [Buffer.allocUnsafeSlow(CHUNK_BYTES), Buffer.allocUnsafeSlow(CHUNK_BYTES)];
}

/** How {@link openPassing} gets at the archive. */
interface Passing {
  /** Its content from the front, once more at each call. */
  content: () => AsyncIterable<Buffer>;
  /** Entries that will be read. */
  keep: (name: string) => boolean;
  open: (parts: KeptParts) => Promise<LoadedArchive>;
}

/**
 * Opens an archive that can only be read from front to end, such as an entry that an outer archive has compressed. It
 * is inflated once, seldom twice; nothing is written, and no more of it is in memory than what is asked for.
 *
 * @returns undefined where too much would have to be kept
 */
export async function openPassing(
  sizeBytes: number,
  { content, keep, open }: Passing,
): Promise<LoadedArchive | undefined> {
  const parts = new KeptParts(sizeBytes);
  const tail = Math.min(MOST_TAIL_BYTES, Math.max(LEAST_TAIL_BYTES, Math.ceil(sizeBytes / TAIL_PART)));
  let ranges: FileRange[] = [];
  for (let pass = 1; pass <= MOST_PASSES; pass++) {
    const isFirst = pass === 1;
    await parts.take(content(), {
      head: isFirst ? HEAD_BYTES : 0,
      tail: isFirst ? tail : 0,
      ranges,
    });
    try {
      const archive = await open(parts);
      ranges = archive.entries
        .filter(({ name }) => keep(name))
        .map(({ offset, end }) => ({ offset, length: end - offset }))
        .filter((range) => !parts.has(range));
      if (ranges.length === 0) return archive;
    } catch (error) {
      if (!(error instanceof NotKept)) throw error;
      ranges = [error.range];
    }
    const wantedBytes = ranges.reduce((sum, { length }) => sum + length, 0);
    if (parts.keptBytes + wantedBytes > MOST_KEPT_BYTES) return undefined;
  }
  return undefined;
}
