import type { Archive } from './archive-types.js';
import type { OpenArchiveOptions } from './archive/load-archive.js';

export type { OpenArchiveOptions } from './archive/load-archive.js';
export { DEFAULT_ARCHIVE_LIMITS } from './archive/limits.js';
export type { FileRange } from './archive-types.js';

/**
 * Opens a zip archive and trusts nothing in it.
 *
 * Checked here, from the directory: one end record, no bytes outside the entries, names that are safe and distinct on
 * every platform, no encryption, links, devices or unknown methods, sizes within the limits. Local headers are checked
 * here too where they lie close together or are few; else when an entry is read, and all of them before `extract`
 * writes. Contents are checked (size, CRC-32) whenever they are read.
 *
 * @throws RunnerError `invalid_zip` naming file, entry and fault; `invalid_params` for limits that are none; `aborted`
 */
export async function openArchive(path: string, options: OpenArchiveOptions = {}): Promise<Archive> {
  const { openArchive: open } = await import('./archive/open-archive.js');
  return open(path, options);
}
