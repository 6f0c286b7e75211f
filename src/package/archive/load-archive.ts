import { throwIfAborted, type OperationOptions } from '../../abort.js';
import type { ArchiveLimits, NameEncoding } from '../types.js';
import type { FileRange } from '../archive-types.js';
import { ByteSource } from './byte-source.js';
import { readDirectory, type DirectoryEntry } from './central-directory.js';
import { findDirectory } from './end-record.js';
import { EntryChecker } from './entry-checker.js';
import { mapEntries } from './entry-map.js';
import { zipFault } from './fault.js';
import { beyond, checkDirectorySize, checkUnpackedSizes, resolveLimits } from './limits.js';
import { checkNameEncoding } from './name-encoding.js';
import { NameTree } from './name-tree.js';
import type { PlacedFile } from './unpack-plan.js';

export interface OpenArchiveOptions extends OperationOptions {
  /** Bounds on the content, where they are to differ. @defaultValue {@link DEFAULT_ARCHIVE_LIMITS} */
  limits?: Partial<ArchiveLimits>;
  /** Encoding of names that do not declare one. @defaultValue detected from the names themselves */
  nameEncoding?: NameEncoding;
  /** The archive is this part of the file, as a stored wheel is of a package ({@link Archive.slice}). */
  range?: FileRange;
  /** The archive is these bytes; the path only names it. */
  bytes?: Buffer;
}

/** How {@link loadArchive} opens, beyond what callers of the library may say. */
export interface LoadOptions extends OpenArchiveOptions {
  /** Bytes of the archive, which are closed with it. */
  source?: ByteSource;
  /** Check each local header when its entry is read, however cheap it would be to check all at once. */
  lazy?: boolean;
}

/** An archive that was opened and checked, in its parts. */
export interface LoadedArchive {
  source: ByteSource;
  /** Where the central directory lies, whose records the entries refer to. */
  directory: FileRange;
  /** In the order of the directory. */
  entries: DirectoryEntry[];
  /** The same, by name. */
  names: NameTree<DirectoryEntry>;
  /** In the order in which they lie. */
  inPlace: DirectoryEntry[];
  /** Files of an unpacking that is under way, where somebody else writes them. */
  placed: PlacedFile[];
  checker: EntryChecker;
  unpackedBytes: number;
  /** What it was held to. */
  limits: ArchiveLimits;
  /** What was assumed of names that do not say their encoding, where another would do as well. */
  nameDoubt: string | undefined;
}

/** Opens and checks an archive; the caller closes its source. See {@link openArchive} for what is checked. */
export async function loadArchive(path: string, options: LoadOptions): Promise<LoadedArchive> {
  const { signal } = options;
  const limits = resolveLimits(options.limits);
  checkNameEncoding(options.nameEncoding);
  throwIfAborted(signal, 'opening of the archive');
  const source =
    options.source ??
    (options.bytes ? ByteSource.of(path, options.bytes) : await ByteSource.open(path, options.range));
  try {
    const location = await findDirectory(source);
    checkDirectorySize(path, limits, location);
    throwIfAborted(signal, 'opening of the archive');
    const directory = { offset: location.offset, length: location.bytes };
    const records = await source.read(directory.offset, directory.length);
    const text = records.toString('latin1');
    const { entries, nameDoubt } = readDirectory(path, records, text, location.entries, options.nameEncoding);
    const unpackedBytes = checkUnpackedSizes(path, limits, entries);
    const names = new NameTree<DirectoryEntry>();
    entries.forEach((entry) => {
      if (entry.name === '') {
        // Names relative to the packed folder begin with `./`.
        if (entries.every(({ rawName }) => rawName.startsWith('./'))) return;
        throw zipFault(path, 'its name has a "." segment', './');
      }
      const collision = names.add(entry);
      if (collision !== undefined) throw zipFault(path, collision, entry.name);
      // A name of a kilobyte stands for five hundred folders, each of which would be made.
      if (names.folderCount > limits.maxEntries) {
        throw zipFault(
          path,
          `makes, with those before it, more than the ${limits.maxEntries} folders permitted`,
          entry.name,
          beyond('maxEntries'),
        );
      }
    });
    const inPlace = mapEntries(path, entries, location.offset);
    const checker = new EntryChecker(source, inPlace, text);
    if (!options.lazy) await checker.checkIfCheap(signal);
    return {
      source,
      directory,
      entries,
      names,
      inPlace,
      placed: [],
      checker,
      unpackedBytes,
      limits,
      nameDoubt,
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}
