import type { DirectoryEntry } from './central-directory.js';
import { quote, zipFault } from './fault.js';
import { MAX_DESCRIPTOR_BYTES, MAX_LOCAL_EXTRA_BYTES, minHeaderBytes } from './entry-checker.js';

/**
 * Divides the bytes before the directory among the entries: each entry gets the offset of its end.
 *
 * Entries must follow each other without overlap, hole or preamble: what lies outside every entry is invisible to us
 * and visible to a reader that goes through the file from the front. The extra field of a local header has a length
 * that the directory does not tell, so up to 64 KiB stay open here; {@link EntryChecker} closes them.
 *
 * @returns the entries in the order in which they lie
 * @throws RunnerError `invalid_zip` at the first overlap or hole
 */
export function mapEntries(
  archive: string,
  entries: DirectoryEntry[],
  directoryStart: number,
): DirectoryEntry[] {
  const inPlace = inOrderOfPlace(entries);
  const last = inPlace.at(-1);
  if (last && last.offset > directoryStart) {
    throw zipFault(archive, `is said to start at byte ${last.offset}, behind the directory`, last.name);
  }
  const preamble = inPlace[0]?.offset ?? directoryStart;
  if (preamble !== 0) {
    throw zipFault(archive, `has ${preamble} bytes before its first entry, which readers take differently`);
  }
  inPlace.forEach((entry, index) => {
    const next = inPlace[index + 1];
    entry.end = next?.offset ?? directoryStart;
    const room = entry.end - entry.offset - minHeaderBytes(entry) - entry.compressedBytes;
    if (room < 0) {
      throw zipFault(
        archive,
        next === undefined ? 'runs into the directory' : `overlaps the entry ${quote(next.name)}`,
        entry.name,
      );
    }
    if (room > MAX_LOCAL_EXTRA_BYTES + MAX_DESCRIPTOR_BYTES) {
      throw zipFault(archive, `is followed by ${room} bytes that belong to no entry`, entry.name);
    }
  });
  return inPlace;
}

/** Nearly every archive has them in this order already. */
function inOrderOfPlace(entries: DirectoryEntry[]): DirectoryEntry[] {
  const areInOrder = entries.every(({ offset }, index) => offset >= (entries[index - 1]?.offset ?? 0));
  return areInOrder ? entries : [...entries].sort((a, b) => a.offset - b.offset);
}
