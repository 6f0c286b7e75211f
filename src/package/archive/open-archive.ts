import { throwIfAborted, type OperationOptions } from '../../abort.js';
import type { Archive } from '../archive-types.js';
import type { ArchiveLimits } from '../types.js';
import { ByteSource, type FileRange } from './byte-source.js';
import { readDirectory } from './central-directory.js';
import { findDirectory } from './end-record.js';
import { EntryChecker } from './entry-checker.js';
import { mapEntries } from './entry-map.js';
import { zipFault } from './fault.js';
import { checkDirectorySize, checkUnpackedSizes, resolveLimits } from './limits.js';
import { NameTree } from './name-tree.js';
import { ZipArchive } from './zip-archive.js';

/** How {@link openArchive} opens an archive. */
export interface OpenArchiveOptions extends OperationOptions {
  /** @defaultValue {@link DEFAULT_ARCHIVE_LIMITS} */
  limits?: Partial<ArchiveLimits>;
  /** The archive is this part of the file, as a stored wheel is of a package ({@link Archive.slice}). */
  range?: FileRange;
}

/**
 * Opens a zip archive and trusts nothing in it.
 *
 * Checked here, from the directory: one end record, no bytes outside the entries, names that are safe and distinct on
 * every platform, no encryption, links, devices or unknown methods, sizes within the limits. Local headers are checked
 * here too where they lie close together or are few; else when an entry is read, and all of them before `extract`
 * writes. Contents are checked (size, CRC-32) whenever they are read.
 *
 * @throws RunnerError `invalid_zip` naming file, entry and fault; `aborted`
 */
export async function openArchive(path: string, options: OpenArchiveOptions = {}): Promise<Archive> {
  const { signal } = options;
  const limits = resolveLimits(options.limits);
  throwIfAborted(signal, 'opening of the archive');
  const source = await ByteSource.open(path, options.range);
  try {
    const location = await findDirectory(source);
    checkDirectorySize(path, limits, location);
    throwIfAborted(signal, 'opening of the archive');
    const directory = await source.read(location.offset, location.bytes);
    const entries = readDirectory(path, directory, location.entries);
    const unpackedBytes = checkUnpackedSizes(path, limits, entries);
    const names = new NameTree();
    for (const { name, isDirectory } of entries) {
      const collision = names.add(name, isDirectory);
      if (collision !== undefined) throw zipFault(path, collision, name);
    }
    const spans = mapEntries(path, entries, location.offset);
    const checker = new EntryChecker(source, spans);
    await checker.checkIfCheap(signal);
    return new ZipArchive(source, entries, spans, checker, directory, unpackedBytes);
  } catch (error) {
    await source.close();
    throw error;
  }
}
