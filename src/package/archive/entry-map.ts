import type { DirectoryEntry } from './central-directory.js';
import { zipFault } from './fault.js';
import { MAX_DESCRIPTOR_BYTES, MAX_LOCAL_EXTRA_BYTES, minHeaderBytes } from './local-header.js';

/** Where the packed data of an entry lie, counted from the archive's first byte. */
export interface DataRange {
  offset: number;
  length: number;
}

/** The bytes of an archive that belong to one entry: local header, data and data descriptor. */
export interface EntrySpan {
  entry: DirectoryEntry;
  start: number;
  /** Start of the next record, or of the directory. */
  end: number;
  /** Where its data start; known once the local header was checked. */
  dataStart: number | undefined;
}

/**
 * Divides the bytes before the directory among the entries, in the order in which they lie.
 *
 * Entries must follow each other without overlap, hole or preamble: what lies outside every entry is invisible to us
 * and visible to a reader that goes through the file from the front. The extra field of a local header has a length
 * that the directory does not tell, so up to 64 KiB stay open here; {@link EntryChecker} closes them.
 *
 * @throws RunnerError `invalid_zip` at the first overlap or hole
 */
export function mapEntries(
  archive: string,
  entries: readonly DirectoryEntry[],
  directoryStart: number,
): EntrySpan[] {
  const spans: EntrySpan[] = [];
  let isInOrder = true;
  let before = 0;
  for (const entry of entries) {
    isInOrder &&= entry.offset >= before;
    before = entry.offset;
    spans.push({ entry, start: entry.offset, end: directoryStart, dataStart: undefined });
  }
  if (!isInOrder) {
    spans.sort((a, b) => a.start - b.start);
    for (const [ordinal, { entry }] of spans.entries()) entry.ordinal = ordinal;
  }
  const last = spans.at(-1);
  if (last && last.start > directoryStart) {
    throw zipFault(archive, `is said to start at byte ${last.start}, behind the directory`, last.entry.name);
  }
  const [first] = spans;
  const preamble = first ? first.start : directoryStart;
  if (preamble !== 0) {
    throw zipFault(archive, `has ${preamble} bytes before its first entry, which readers take differently`);
  }
  let index = 0;
  for (const span of spans) {
    const { entry, start } = span;
    const next = spans[++index];
    span.end = next?.start ?? directoryStart;
    const least = minHeaderBytes(entry) + entry.compressedBytes;
    if (start + least > span.end) {
      const neighbour = next?.entry.name;
      throw zipFault(
        archive,
        neighbour === undefined
          ? 'runs into the directory'
          : `overlaps the entry ${JSON.stringify(neighbour)}`,
        entry.name,
      );
    }
    const hole = span.end - start - least;
    if (hole > MAX_LOCAL_EXTRA_BYTES + MAX_DESCRIPTOR_BYTES) {
      throw zipFault(archive, `is followed by ${hole} bytes that belong to no entry`, entry.name);
    }
  }
  return spans;
}
