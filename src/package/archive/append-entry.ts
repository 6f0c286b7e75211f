import type { FileHandle } from 'node:fs/promises';
import { throwIfAborted } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { crc32 } from '../crc32.js';
import {
  CENTRAL_HEADER,
  CENTRAL_HEADER_BYTES,
  END_RECORD,
  END_RECORD_BYTES,
  EXTRA_ZIP64,
  LOCAL_HEADER,
  LOCAL_HEADER_BYTES,
  SEE_ZIP64_16,
  SEE_ZIP64_32,
  ZIP64_END_RECORD,
  ZIP64_END_RECORD_BYTES,
  ZIP64_LOCATOR,
  ZIP64_LOCATOR_BYTES,
} from './format.js';
import type { LoadedArchive } from './load-archive.js';

/** A small file to append. Its name is ASCII. */
export interface NewEntry {
  name: string;
  content: Buffer;
}

const COPY_BYTES = 1024 * 1024;
const VERSION_ZIP64 = 45;
const MADE_ON_UNIX = (3 << 8) | VERSION_ZIP64;
/** Regular file, readable by all. */
const ATTRIBUTES = (0o100644 << 16) >>> 0;
/** 1 January 1980, the earliest date of the format: equal input gives equal bytes. */
const DOS_DATE = 0x0021;

/**
 * Copies an archive to `out` with one more entry, stored, at its end. An entry of that name is replaced if it is the
 * last one, as it is when it was put there in this way. The archive's comment is not kept.
 *
 * @throws RunnerError `invalid_params` when an entry of that name lies elsewhere
 */
export async function copyWithEntry(
  archive: LoadedArchive,
  out: FileHandle,
  entry: NewEntry,
  signal?: AbortSignal,
): Promise<void> {
  const kept = await withoutOld(archive, entry.name);
  for (let at = 0; at < kept.bytes; at += COPY_BYTES) {
    throwIfAborted(signal, 'copying of the archive');
    await append(out, await archive.source.read(at, Math.min(COPY_BYTES, kept.bytes - at)));
  }
  const name = Buffer.from(entry.name);
  const directory = Buffer.concat([...kept.records, centralHeader(name, entry.content, kept.bytes)]);
  const directoryStart = kept.bytes + LOCAL_HEADER_BYTES + name.length + entry.content.length;
  await append(
    out,
    Buffer.concat([
      localHeader(name, entry.content),
      entry.content,
      directory,
      endRecords({ entries: kept.records.length + 1, bytes: directory.length, offset: directoryStart }),
    ]),
  );
}

/** What stays of the archive: its first bytes and its directory records. */
async function withoutOld(
  { source, directory, entries, inPlace, names }: LoadedArchive,
  name: string,
): Promise<{ bytes: number; records: Buffer[] }> {
  const old = names.get(name);
  if (old && old !== inPlace.at(-1)) {
    throw new RunnerError('invalid_params', `${source.path} has an entry ${name} already, not at its end`);
  }
  const all = await source.read(directory.offset, directory.length);
  const records = entries
    .filter((entry) => entry !== old)
    .map(({ recordStart, recordEnd }) => all.subarray(recordStart, recordEnd));
  return { bytes: old?.offset ?? directory.offset, records };
}

async function append(out: FileHandle, bytes: Buffer): Promise<void> {
  await out.writeFile(bytes);
}

/** Fields from "version needed" to "extra field length", the same in both headers. */
function sharedFields(name: Buffer, content: Buffer, extraBytes: number): Buffer {
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(extraBytes > 0 ? VERSION_ZIP64 : 10, 0);
  fields.writeUInt16LE(DOS_DATE, 8);
  fields.writeUInt32LE(crc32(content), 10);
  fields.writeUInt32LE(content.length, 14);
  fields.writeUInt32LE(content.length, 18);
  fields.writeUInt16LE(name.length, 22);
  fields.writeUInt16LE(extraBytes, 24);
  return fields;
}

function localHeader(name: Buffer, content: Buffer): Buffer {
  const signature = Buffer.alloc(4);
  signature.writeUInt32LE(LOCAL_HEADER);
  return Buffer.concat([signature, sharedFields(name, content, 0), name]);
}

function centralHeader(name: Buffer, content: Buffer, offset: number): Buffer {
  const isFar = offset >= SEE_ZIP64_32;
  const extra = Buffer.alloc(isFar ? 12 : 0);
  if (isFar) {
    extra.writeUInt16LE(EXTRA_ZIP64, 0);
    extra.writeUInt16LE(8, 2);
    extra.writeBigUInt64LE(BigInt(offset), 4);
  }
  const header = Buffer.alloc(CENTRAL_HEADER_BYTES);
  header.writeUInt32LE(CENTRAL_HEADER, 0);
  header.writeUInt16LE(MADE_ON_UNIX, 4);
  sharedFields(name, content, extra.length).copy(header, 6);
  header.writeUInt32LE(ATTRIBUTES, 38);
  header.writeUInt32LE(isFar ? SEE_ZIP64_32 : offset, 42);
  return Buffer.concat([header, name, extra]);
}

/** The end record, behind the zip64 records where a number does not fit it. */
export function endRecords({
  entries,
  bytes,
  offset,
}: {
  entries: number;
  bytes: number;
  offset: number;
}): Buffer {
  const isWide = entries >= SEE_ZIP64_16 || bytes >= SEE_ZIP64_32 || offset >= SEE_ZIP64_32;
  const end = Buffer.alloc(END_RECORD_BYTES);
  end.writeUInt32LE(END_RECORD, 0);
  end.writeUInt16LE(isWide ? SEE_ZIP64_16 : entries, 8);
  end.writeUInt16LE(isWide ? SEE_ZIP64_16 : entries, 10);
  end.writeUInt32LE(isWide ? SEE_ZIP64_32 : bytes, 12);
  end.writeUInt32LE(isWide ? SEE_ZIP64_32 : offset, 16);
  if (!isWide) return end;
  const record = Buffer.alloc(ZIP64_END_RECORD_BYTES);
  record.writeUInt32LE(ZIP64_END_RECORD, 0);
  record.writeBigUInt64LE(BigInt(ZIP64_END_RECORD_BYTES - 12), 4);
  record.writeUInt16LE(MADE_ON_UNIX, 12);
  record.writeUInt16LE(VERSION_ZIP64, 14);
  record.writeBigUInt64LE(BigInt(entries), 24);
  record.writeBigUInt64LE(BigInt(entries), 32);
  record.writeBigUInt64LE(BigInt(bytes), 40);
  record.writeBigUInt64LE(BigInt(offset), 48);
  const locator = Buffer.alloc(ZIP64_LOCATOR_BYTES);
  locator.writeUInt32LE(ZIP64_LOCATOR, 0);
  locator.writeBigUInt64LE(BigInt(offset + bytes), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([record, locator, end]);
}
