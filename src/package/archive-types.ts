import type { Readable } from 'node:stream';
import type { OperationOptions } from '../abort.js';
import type { ArchiveLimits } from './types.js';

/** One checked entry of an archive. */
export interface ArchiveEntry {
  /** Decoded name with `/` as separator, relative, without `.` or `..` segments; folders without trailing slash. */
  name: string;
  /** Whether it is a folder. */
  isDirectory: boolean;
  /** Unpacked. */
  sizeBytes: number;
  /** Packed. */
  compressedBytes: number;
  /** CRC-32 of the content, unsigned. */
  crc32: number;
  /** 0 stored, 8 deflated, 93 compressed by Zstandard. */
  method: 0 | 8 | 93;
  /** Permission bits the archive gives, if any. */
  mode: number | undefined;
  /** Whether the archive says of these that they are of a regular file; some builders say nothing of that. */
  isMarkedAsFile?: boolean;
}

/** An entry that was placed and checked: all that is needed to write its file. */
export interface PlacedEntry {
  /** Path beneath the target, with `/`; its folder is there. */
  to: string;
  /** What is to be written. */
  entry: ArchiveEntry;
  /** Where its packed bytes lie, counted from the first byte of the file that holds the archive. */
  offset: number;
  /** How many packed bytes there are. */
  length: number;
}

/** Part of a file that is an archive of its own, such as a wheel stored in a package. */
export interface FileRange {
  /** Of its first byte. */
  offset: number;
  /** Bytes. */
  length: number;
}

/** What {@link Archive.extract} wrote. */
export interface ExtractReport {
  /** How many. */
  files: number;
  /** Unpacked. */
  bytes: number;
  /** With `oneReading`: SHA-256 (hex) of the archive that the files come from. */
  sha256?: string;
}

/** What one reading of a whole archive gave. */
export interface ArchiveDigests {
  /** SHA-256 (hex) of all its bytes. */
  sha256: string;
  /** SHA-256 (hex) of the content of its entries, by name; folders have none. */
  entries: ReadonlyMap<string, string>;
}

/** An open archive whose directory has passed every structural check. */
export interface Archive {
  /** The file. */
  readonly path: string;
  readonly sizeBytes: number;
  /**
   * Identifies the content of this opening as far as the system can: device, file, size and times. Undefined for a file
   * that changed so recently that its times prove nothing, and for bytes in memory.
   */
  readonly identity: string | undefined;
  /** Sum of the unpacked sizes of all entries. */
  readonly unpackedBytes: number;
  /** What was assumed of names that do not say their encoding, where another would do as well. */
  readonly nameDoubt: string | undefined;
  /** How many folders it makes, those included that are there only because something lies in them. */
  readonly folders: number;
  /** What it was held to; what is opened in it is held to the same. */
  readonly limits: Readonly<ArchiveLimits>;
  /** In the order of the directory. */
  readonly entries: readonly ArchiveEntry[];
  /** The entry of this decoded name. */
  get(name: string): ArchiveEntry | undefined;
  /** Content of a small entry, CRC and size verified. Rejects `invalid_zip` past `maxBytes` (default 4 MiB). */
  read(entry: ArchiveEntry, o?: OperationOptions & { maxBytes?: number }): Promise<Buffer>;
  /**
   * Where the bytes of a stored entry lie in the file; undefined when the entry is compressed. Given to `openArchive`
   * as its `range`, it opens an archive inside this one without copying it.
   */
  slice(entry: ArchiveEntry): FileRange | undefined;
  /**
   * Opens an archive inside this one, such as a wheel: a stored one in place over this archive's descriptor, a
   * compressed one of up to 4 MiB in memory. A larger one is inflated once as a stream, and of it are kept its directory
   * and the entries that `keep` names; no others can be read then. It ends with this archive at the latest.
   * @returns undefined where more than 32 MiB would have to be kept
   * @throws RunnerError `invalid_zip`
   */
  openInner(
    entry: ArchiveEntry,
    o?: OperationOptions & { keep?: (name: string) => boolean },
  ): Promise<Archive | undefined>;
  /** Content as a stream, CRC and size verified at its end. */
  stream(entry: ArchiveEntry, o?: OperationOptions): Promise<Readable>;
  /**
   * Unpacks into `target`, which must be an empty or absent folder. `place` maps an entry to its path beneath the
   * target (`undefined` leaves it out). The first fault removes what was written and rejects.
   */
  extract(
    target: string,
    o?: OperationOptions & {
      place?: (entry: ArchiveEntry) => string | undefined;
      /** fsync files and folders. @defaultValue false */
      durable?: boolean;
      onProgress?: (doneBytes: number, totalBytes: number) => void;
      /** Makes the files read-only, from the moment they are created. @defaultValue false */
      readOnly?: boolean;
      /** Files or groups of small files unpacked at once; each takes up to 5 MB of memory. @defaultValue 4 */
      lanes?: number;
      /**
       * Writes the files in place of the archive's own lanes, and reads the directory a second time in place of its
       * own second reader. It must hold each file to its size and CRC-32, and reject at the first fault. The list of
       * files is emptied when it has settled.
       */
      unpackFiles?: (
        files: readonly PlacedEntry[],
        o: { signal: AbortSignal; onProgress: (doneBytes: number) => void },
      ) => Promise<void>;
      /**
       * Takes {@link Archive.digests} beside the unpacking, `stored` unless they were taken before, and compares with
       * them what is written; a file that changed since it was opened, as its file system tells, is refused too. Not
       * with `unpackFiles`. @defaultValue false
       */
      oneReading?: boolean;
      /** Takes the SHA-256 of each file as it is written, so that nobody need read it again for that. */
      onFile?: (entry: ArchiveEntry, sha256: Buffer) => void;
    },
  ): Promise<ExtractReport>;
  /**
   * Reads the whole archive once and gives its digests; asked again, it gives those of the first reading. Whatever
   * {@link Archive.read}, {@link Archive.stream} and {@link Archive.extract} give from then on is compared with them: an
   * entry that another reading gives otherwise is `invalid_zip`.
   *
   * @param o - `contents: 'stored'` takes only the entries that are not compressed, which costs little more than the
   * digest of the whole. Default: `all`, each verified
   */
  digests(o?: OperationOptions & { contents?: 'all' | 'stored' }): Promise<ArchiveDigests>;
  /** Closes the file; what is being read fails. */
  close(): Promise<void>;
  /** See {@link Archive.close}. */
  [Symbol.asyncDispose](): Promise<void>;
}
