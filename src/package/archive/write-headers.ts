import {
  CENTRAL_HEADER,
  CENTRAL_HEADER_BYTES,
  END_RECORD,
  END_RECORD_BYTES,
  EXTRA_ZIP64,
  FLAG_UTF8,
  LOCAL_HEADER,
  LOCAL_HEADER_BYTES,
  SEE_ZIP64_16,
  SEE_ZIP64_32,
  ZIP64_END_RECORD,
  ZIP64_END_RECORD_BYTES,
  ZIP64_LOCATOR,
  ZIP64_LOCATOR_BYTES,
} from './format.js';

/** What of an entry both headers say. */
export interface Described {
  name: Buffer;
  method: number;
  crc: number;
  packedBytes: number;
  sizeBytes: number;
}

const VERSION_DEFLATE = 20;
const VERSION_ZIP64 = 45;
const MADE_ON_UNIX = 3 << 8;
/** 1 January 1980, the earliest date of the format: equal input gives equal bytes. */
const DOS_DATE = 0x0021;
const FILE_TYPE = 0o170000;
const DOS_FOLDER = 0x10;

/** Types of a file in its Unix mode. */
export const REGULAR_FILE = 0o100000;
export const FOLDER = 0o040000;

/** Fields from "version needed" to "extra field length", the same in both headers. */
function sharedFields({ name, method, crc, packedBytes, sizeBytes }: Described, extraBytes: number): Buffer {
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(extraBytes > 0 ? VERSION_ZIP64 : VERSION_DEFLATE, 0);
  fields.writeUInt16LE(FLAG_UTF8, 2);
  fields.writeUInt16LE(method, 4);
  fields.writeUInt16LE(DOS_DATE, 8);
  fields.writeUInt32LE(crc, 10);
  fields.writeUInt32LE(Math.min(packedBytes, SEE_ZIP64_32), 14);
  fields.writeUInt32LE(Math.min(sizeBytes, SEE_ZIP64_32), 18);
  fields.writeUInt16LE(name.length, 22);
  fields.writeUInt16LE(extraBytes, 24);
  return fields;
}

/** The extra field of 64-bit numbers, in the order of the format; nothing where there are none. */
function wideNumbers(numbers: readonly number[]): Buffer {
  if (numbers.length === 0) return Buffer.alloc(0);
  const extra = Buffer.alloc(4 + 8 * numbers.length);
  extra.writeUInt16LE(EXTRA_ZIP64, 0);
  extra.writeUInt16LE(8 * numbers.length, 2);
  numbers.forEach((value, index) => extra.writeBigUInt64LE(BigInt(value), 4 + 8 * index));
  return extra;
}

function isWide({ packedBytes, sizeBytes }: Described): boolean {
  return packedBytes >= SEE_ZIP64_32 || sizeBytes >= SEE_ZIP64_32;
}

/** What stands before the content of an entry. */
export function localHeader(described: Described): Buffer {
  const { name, packedBytes, sizeBytes } = described;
  // A local header has both sizes in the extra field, or neither.
  const extra = wideNumbers(isWide(described) ? [sizeBytes, packedBytes] : []);
  const signature = Buffer.alloc(LOCAL_HEADER_BYTES - 26);
  signature.writeUInt32LE(LOCAL_HEADER);
  return Buffer.concat([signature, sharedFields(described, extra.length), name, extra]);
}

/** The record of an entry in the directory. `mode` is that of Unix, with the type of the file. */
export function centralHeader(described: Described, mode: number, offset: number): Buffer {
  const { name, packedBytes, sizeBytes } = described;
  const extra = wideNumbers([
    ...[sizeBytes, packedBytes].filter((bytes) => bytes >= SEE_ZIP64_32),
    ...(offset >= SEE_ZIP64_32 ? [offset] : []),
  ]);
  const header = Buffer.alloc(CENTRAL_HEADER_BYTES);
  header.writeUInt32LE(CENTRAL_HEADER, 0);
  header.writeUInt16LE(MADE_ON_UNIX | VERSION_ZIP64, 4);
  sharedFields(described, extra.length).copy(header, 6);
  const isFolder = (mode & FILE_TYPE) === FOLDER;
  header.writeUInt32LE(((mode << 16) | (isFolder ? DOS_FOLDER : 0)) >>> 0, 38);
  header.writeUInt32LE(Math.min(offset, SEE_ZIP64_32), 42);
  return Buffer.concat([header, name, extra]);
}

/** The end of an archive: its end record, behind the zip64 records where a number does not fit it. */
export function endRecords({
  entries,
  bytes,
  offset,
  comment = '',
}: {
  entries: number;
  /** Of the directory. */
  bytes: number;
  /** Where the directory starts. */
  offset: number;
  comment?: string;
}): Buffer {
  const isWide = entries >= SEE_ZIP64_16 || bytes >= SEE_ZIP64_32 || offset >= SEE_ZIP64_32;
  const end = Buffer.alloc(END_RECORD_BYTES);
  end.writeUInt32LE(END_RECORD, 0);
  end.writeUInt16LE(isWide ? SEE_ZIP64_16 : entries, 8);
  end.writeUInt16LE(isWide ? SEE_ZIP64_16 : entries, 10);
  end.writeUInt32LE(isWide ? SEE_ZIP64_32 : bytes, 12);
  end.writeUInt32LE(isWide ? SEE_ZIP64_32 : offset, 16);
  const note = Buffer.from(comment);
  end.writeUInt16LE(note.length, 20);
  if (!isWide) return Buffer.concat([end, note]);
  const record = Buffer.alloc(ZIP64_END_RECORD_BYTES);
  record.writeUInt32LE(ZIP64_END_RECORD, 0);
  record.writeBigUInt64LE(BigInt(ZIP64_END_RECORD_BYTES - 12), 4);
  record.writeUInt16LE(MADE_ON_UNIX | VERSION_ZIP64, 12);
  record.writeUInt16LE(VERSION_ZIP64, 14);
  record.writeBigUInt64LE(BigInt(entries), 24);
  record.writeBigUInt64LE(BigInt(entries), 32);
  record.writeBigUInt64LE(BigInt(bytes), 40);
  record.writeBigUInt64LE(BigInt(offset), 48);
  const locator = Buffer.alloc(ZIP64_LOCATOR_BYTES);
  locator.writeUInt32LE(ZIP64_LOCATOR, 0);
  locator.writeBigUInt64LE(BigInt(offset + bytes), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([record, locator, end, note]);
}
