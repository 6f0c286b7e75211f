import type { FileRange } from '../archive-types.js';
import { KeptParts, NotKept } from './kept-parts.js';
import type { LoadedArchive } from './load-archive.js';

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
export interface Passing {
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
