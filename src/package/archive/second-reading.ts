import { Readable } from 'node:stream';
import type { DirectoryEntry } from './central-directory.js';
import { zipFault } from './fault.js';
import { END_RECORD, END_RECORD_BYTES } from './format.js';

/** A tenth of a second to load: only when something is unpacked. Its main file leads bundlers to a package that is not there. */
export async function loadSecondReader() {
  return (await import('unzipper/lib/Open/directory.js')).default;
}

/** What is used of unzipper's reading of a directory record. */
interface UnzipperFile {
  flags: number;
  compressionMethod: number;
  crc32: number;
  compressedSize: number;
  uncompressedSize: number;
  offsetToLocalFileHeader: number;
  pathBuffer: Buffer | string;
}

/** Records given to unzipper at a time: its streams and promises cost a few KB each. */
const RECORDS_AT_A_TIME = 1024;

/**
 * Lets unzipper read the directory too, and refuses an archive that the two readers understand differently.
 *
 * A reader of our own was needed: unzipper takes 175 ms and 65 MB to load and read a directory of 10,000 entries, and
 * fails on honest ones (a long comment, 65,535 entries, an extra field of 4 KB). But one hand-written parser is one
 * mistake away from a hole, and an archive that means different things to different readers is the usual attack. So
 * nothing is unpacked that two independent readers do not agree on. unzipper gets the records in slices, each behind an
 * end record made here, because finding the end record is where it fails; memory stays the same whatever the archive.
 *
 * @throws RunnerError `invalid_zip` at the first disagreement
 */
export async function confirmDirectory(
  archive: string,
  directory: Buffer,
  entries: readonly DirectoryEntry[],
  signal: AbortSignal,
): Promise<void> {
  if (entries.length === 0) return;
  const readDirectory = await loadSecondReader();
  for (let first = 0; first < entries.length; first += RECORDS_AT_A_TIME) {
    signal.throwIfAborted();
    const slice = entries.slice(first, first + RECORDS_AT_A_TIME);
    const bytes = asArchive(directory, slice);
    let files: UnzipperFile[];
    try {
      const read = await readDirectory({
        size: () => Promise.resolve(bytes.length),
        stream: (start, length) => streamOf(bytes.subarray(start, length ? start + length : undefined)),
      });
      files = (await read.files) as UnzipperFile[];
    } catch (error) {
      throw zipFault(archive, 'its directory cannot be read by a second reader', slice[0]?.name, {
        cause: error,
      });
    }
    slice.forEach((entry, index) => {
      const fault = disagreement(entry, files[index]);
      if (fault !== undefined) throw zipFault(archive, `two readers differ in its ${fault}`, entry.name);
    });
  }
}

/** A directory of these records alone, with an end record. */
function asArchive(directory: Buffer, entries: readonly DirectoryEntry[]): Buffer {
  const start = entries[0]?.recordStart ?? 0;
  const end = entries.at(-1)?.recordEnd ?? start;
  const record = Buffer.alloc(END_RECORD_BYTES);
  record.writeUInt32LE(END_RECORD, 0);
  record.writeUInt16LE(entries.length, 8);
  record.writeUInt16LE(entries.length, 10);
  record.writeUInt32LE(end - start, 12);
  return Buffer.concat([directory.subarray(start, end), record]);
}

function streamOf(bytes: Buffer): Readable {
  return Readable.from([bytes], { objectMode: false });
}

function disagreement(entry: DirectoryEntry, other: UnzipperFile | undefined): string | undefined {
  if (!other) return 'presence';
  if (entry.rawName !== Buffer.from(other.pathBuffer).toString('latin1')) return 'name';
  if (entry.flags !== other.flags) return 'flags';
  if (entry.method !== other.compressionMethod) return 'method';
  if (entry.crc32 !== other.crc32) return 'CRC-32';
  if (entry.compressedBytes !== other.compressedSize) return 'compressed size';
  if (entry.sizeBytes !== other.uncompressedSize) return 'size';
  if (entry.offset !== other.offsetToLocalFileHeader) return 'position';
  return undefined;
}
