import type { ByteSource } from './byte-source.js';
import { COPY_AGAIN, zipFault, type Fault } from './fault.js';
import {
  END_RECORD_BYTES,
  readUint64,
  SEE_ZIP64_16,
  SEE_ZIP64_32,
  ZIP64_END_RECORD,
  ZIP64_END_RECORD_BYTES,
  ZIP64_LOCATOR,
  ZIP64_LOCATOR_BYTES,
} from './format.js';

/** Where the central directory lies. */
export interface DirectoryLocation {
  entries: number;
  offset: number;
  bytes: number;
}

const MAX_COMMENT_BYTES = 0xffff;

const IN_PARTS: Fault = {
  fault: 'is one part of an archive in several parts',
  remedy: 'Join them (zip -s 0 parts.zip --out package.zip), or pack the package again as one file',
};

/** `PK\5\6` as it stands in a file. */
const SIGNATURE = Buffer.from([0x50, 0x4b, 0x05, 0x06]);

/**
 * Finds the end record and what it says. Readers look for it in different ways (from the back, from the front of a
 * tail, by the comment's length, with or without zip64), so an archive is taken only when all of them arrive at the
 * same directory: one record, ending with the file, directly after the directory it describes.
 *
 * unzipper looks at the last 80 bytes only and takes 65,535 entries for a sign of zip64; hence this reading of our own.
 */
export async function findDirectory(source: ByteSource): Promise<DirectoryLocation> {
  const { path, size } = source;
  if (size === 0) throw zipFault(path, 'is empty', undefined, { remedy: COPY_AGAIN });
  const tailBytes = Math.min(size, END_RECORD_BYTES + MAX_COMMENT_BYTES);
  const tailStart = size - tailBytes;
  const tail = await source.keep(tailStart, tailBytes);
  const at = lastRecordThatEndsTheFile(tail);
  if (at === undefined) {
    const signature = tail.lastIndexOf(SIGNATURE);
    throw zipFault(
      path,
      signature === -1
        ? 'is not a zip archive or is cut off: it has no end record'
        : 'has data after its end record or is cut off in its comment',
      undefined,
      { remedy: COPY_AGAIN },
    );
  }
  const record = tail.subarray(at, at + END_RECORD_BYTES);
  const declared = {
    disk: record.readUInt16LE(4),
    directoryDisk: record.readUInt16LE(6),
    entriesOnDisk: record.readUInt16LE(8),
    entries: record.readUInt16LE(10),
    bytes: record.readUInt32LE(12),
    offset: record.readUInt32LE(16),
  };
  const recordStart = tailStart + at;
  const zip64 = await readZip64(source, recordStart);
  const location = zip64 ? agree(path, declared, zip64) : withoutZip64(path, declared);
  const expectedEnd = zip64?.start ?? recordStart;
  if (location.offset + location.bytes !== expectedEnd) {
    throw zipFault(
      path,
      `its directory should end at byte ${expectedEnd}, where the end record starts, but is said to take ` +
        `${location.bytes} bytes from ${location.offset}: something was put before, between or after`,
      undefined,
      { remedy: COPY_AGAIN },
    );
  }
  refuseSecondRecord(path, tail, tailStart, location.offset, recordStart);
  return location;
}

function lastRecordThatEndsTheFile(tail: Buffer): number | undefined {
  let at = tail.length - END_RECORD_BYTES;
  while (at >= 0) {
    at = tail.lastIndexOf(SIGNATURE, at);
    if (at === -1) return undefined;
    if (endsTheFile(tail, at)) return at;
    at--;
  }
  return undefined;
}

/**
 * Whether nothing follows a record and its comment, or nothing but zeros: with these a disk or a transfer fills up its
 * last block, and all readers pass over them.
 */
function endsTheFile(tail: Buffer, at: number): boolean {
  const end = at + END_RECORD_BYTES + tail.readUInt16LE(at + 20);
  return end <= tail.length && tail.subarray(end).every((byte) => byte === 0);
}

/**
 * A second signature in the comment or in the directory is what a reader that searches from the other end would
 * take. One inside an entry's data (a stored wheel is an archive too) is harmless, unless it too claims to end the file.
 */
function refuseSecondRecord(
  path: string,
  tail: Buffer,
  tailStart: number,
  directoryStart: number,
  recordStart: number,
): void {
  for (let at = tail.indexOf(SIGNATURE); at !== -1; at = tail.indexOf(SIGNATURE, at + 1)) {
    const position = tailStart + at;
    if (position === recordStart) continue;
    const isAnEnd = at + END_RECORD_BYTES <= tail.length && endsTheFile(tail, at);
    if (position >= directoryStart || isAnEnd) {
      throw zipFault(path, 'has two end records, of which readers take different ones');
    }
  }
}

interface Declared {
  disk: number;
  directoryDisk: number;
  entriesOnDisk: number;
  entries: number;
  bytes: number;
  offset: number;
}

interface Zip64End extends Declared {
  /** Position of the zip64 end record. */
  start: number;
}

function withoutZip64(path: string, declared: Declared): DirectoryLocation {
  const { disk, directoryDisk, entriesOnDisk, entries, bytes, offset } = declared;
  if (disk !== 0 || directoryDisk !== 0 || entriesOnDisk !== entries) {
    throw zipFault(path, IN_PARTS);
  }
  // 65,535 entries without zip64 are legal and met; an offset or size of 4 GiB less one byte is not.
  if (bytes === SEE_ZIP64_32 || offset === SEE_ZIP64_32) {
    throw zipFault(path, 'refers to a zip64 end record that is not there');
  }
  return { entries, bytes, offset };
}

/** Some readers use the zip64 record whenever it is there, others only where the plain one defers to it. */
function agree(path: string, plain: Declared, zip64: Zip64End): DirectoryLocation {
  const same =
    deferOrEqual(plain.disk, zip64.disk, SEE_ZIP64_16) &&
    deferOrEqual(plain.directoryDisk, zip64.directoryDisk, SEE_ZIP64_16) &&
    deferOrEqual(plain.entriesOnDisk, zip64.entriesOnDisk, SEE_ZIP64_16) &&
    deferOrEqual(plain.entries, zip64.entries, SEE_ZIP64_16) &&
    deferOrEqual(plain.bytes, zip64.bytes, SEE_ZIP64_32) &&
    deferOrEqual(plain.offset, zip64.offset, SEE_ZIP64_32);
  if (!same) throw zipFault(path, 'its end record and its zip64 end record contradict each other');
  if (zip64.disk !== 0 || zip64.directoryDisk !== 0 || zip64.entriesOnDisk !== zip64.entries) {
    throw zipFault(path, IN_PARTS);
  }
  return { entries: zip64.entries, bytes: zip64.bytes, offset: zip64.offset };
}

function deferOrEqual(plain: number, zip64: number, defer: number): boolean {
  return plain === defer || plain === zip64;
}

async function readZip64(source: ByteSource, recordStart: number): Promise<Zip64End | undefined> {
  const { path } = source;
  const locatorStart = recordStart - ZIP64_LOCATOR_BYTES;
  if (locatorStart < 0) return undefined;
  const locator = await source.read(locatorStart, ZIP64_LOCATOR_BYTES);
  if (locator.readUInt32LE(0) !== ZIP64_LOCATOR) return undefined;
  const start = readUint64(locator, 8);
  if (locator.readUInt32LE(4) !== 0 || locator.readUInt32LE(16) > 1) {
    throw zipFault(path, IN_PARTS);
  }
  if (start === undefined || start + ZIP64_END_RECORD_BYTES > locatorStart) {
    throw zipFault(path, 'its zip64 locator points past its end');
  }
  const record = await source.read(start, ZIP64_END_RECORD_BYTES);
  const remaining = readUint64(record, 4);
  if (record.readUInt32LE(0) !== ZIP64_END_RECORD || remaining === undefined) {
    throw zipFault(path, 'its zip64 locator points at something that is no zip64 end record');
  }
  // The format lets data of its maker follow the fixed part. Python's zipfile looks for the record right before the
  // locator all the same, so such data can hold another record for it; nobody writes any.
  if (remaining !== ZIP64_END_RECORD_BYTES - 12 || start + ZIP64_END_RECORD_BYTES !== locatorStart) {
    throw zipFault(path, 'has data between its zip64 end record and its locator');
  }
  const [entriesOnDisk, entries, bytes, offset] = [24, 32, 40, 48].map((at) => readUint64(record, at));
  if (entriesOnDisk === undefined || entries === undefined || bytes === undefined || offset === undefined) {
    throw zipFault(path, 'its zip64 end record has numbers that no file reaches');
  }
  return {
    start,
    disk: record.readUInt32LE(16),
    directoryDisk: record.readUInt32LE(20),
    entriesOnDisk,
    entries,
    bytes,
    offset,
  };
}
