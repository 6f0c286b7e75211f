import { open, type FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { deflateRaw } from 'node:zlib';
import { RunnerError } from '../../errors.js';
import { crc32 } from '../crc32.js';
import { endRecords } from './append-entry.js';
import {
  CENTRAL_HEADER,
  CENTRAL_HEADER_BYTES,
  DEFLATED,
  EXTRA_ZIP64,
  FLAG_UTF8,
  LOCAL_HEADER,
  LOCAL_HEADER_BYTES,
  SEE_ZIP64_32,
  STORED,
} from './format.js';

/** One entry of an archive to write: a folder, whose name ends in `/`, or a file on disk. */
export interface WrittenEntry {
  /** Path in the archive, with `/`. */
  name: string;
  /** Where its content is; undefined for a folder. */
  file?: string;
  sizeBytes: number;
  isExecutable: boolean;
}

/** What of an entry both headers say. */
interface Described {
  name: Buffer;
  method: number;
  crc: number;
  packedBytes: number;
  sizeBytes: number;
}

/** A file up to this size is read once, and deflated where that helps. A larger one is read twice and stored. */
const READ_AT_ONCE_BYTES = 16 * 2 ** 20;
const COPY_BYTES = 2 ** 20;
const VERSION_DEFLATE = 20;
const VERSION_ZIP64 = 45;
const MADE_ON_UNIX = 3 << 8;
/** 1 January 1980, the earliest date of the format: equal input gives equal bytes. */
const DOS_DATE = 0x0021;
const REGULAR_FILE = 0o100000;
const FOLDER = 0o040000;
const DOS_FOLDER = 0x10;

const deflate = promisify(deflateRaw);

/**
 * The bytes of a zip archive (PKWARE APPNOTE 6.3.10), entry by entry. Sizes and checksums stand in the local headers: an
 * archive with data descriptors cannot be read front to back when entries are stored.
 *
 * @throws RunnerError `invalid_zip` for a file that changes while it is read; what the file system says
 */
export async function* archiveBytes(
  entries: readonly WrittenEntry[],
  { compress }: { compress: boolean },
): AsyncGenerator<Buffer, void, undefined> {
  const directory: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    await using content = await contentOf(entry, compress);
    const described: Described = { name: Buffer.from(entry.name), ...content };
    directory.push(centralHeader(described, entry, offset));
    const header = localHeader(described);
    yield header;
    for await (const chunk of content.chunks()) yield chunk;
    offset += header.length + described.packedBytes;
  }
  const records = Buffer.concat(directory);
  yield Buffer.concat([records, endRecords({ entries: entries.length, bytes: records.length, offset })]);
}

type Content = Omit<Described, 'name'> &
  AsyncDisposable & { chunks: () => AsyncGenerator<Buffer, void, undefined> };

async function contentOf({ name, file, sizeBytes }: WrittenEntry, compress: boolean): Promise<Content> {
  if (file === undefined) return inMemory(Buffer.alloc(0), false);
  const handle = await open(file, 'r');
  if (sizeBytes <= READ_AT_ONCE_BYTES) {
    try {
      // A wheel is a zip: what was deflated once does not shrink again.
      return await inMemory(await handle.readFile(), compress && !name.endsWith('.whl'));
    } finally {
      await handle.close();
    }
  }
  try {
    return { ...(await onDisk(handle, file)), [Symbol.asyncDispose]: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function inMemory(bytes: Buffer, compress: boolean): Promise<Content> {
  const deflated = compress ? await deflate(bytes) : bytes;
  const isSmaller = deflated.length < bytes.length;
  const packed = isSmaller ? deflated : bytes;
  return {
    ...{ method: isSmaller ? DEFLATED : STORED, crc: crc32(bytes) },
    ...{ packedBytes: packed.length, sizeBytes: bytes.length },
    async *chunks() {
      if (packed.length > 0) yield await Promise.resolve(packed);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Stored, so that its size is known before it is read; its checksum takes a reading of its own. */
async function onDisk(handle: FileHandle, file: string): Promise<Omit<Content, typeof Symbol.asyncDispose>> {
  let crc = 0;
  let sizeBytes = 0;
  for await (const chunk of piecesOf(handle)) {
    crc = crc32(chunk, crc);
    sizeBytes += chunk.length;
  }
  return {
    ...{ method: STORED, crc, packedBytes: sizeBytes, sizeBytes },
    async *chunks() {
      let again = 0;
      let length = 0;
      for await (const chunk of piecesOf(handle)) {
        again = crc32(chunk, again);
        length += chunk.length;
        yield chunk;
      }
      if (again === crc && length === sizeBytes) return;
      throw new RunnerError('invalid_zip', `${file} was changed while it was packed: pack it again`, {
        details: { path: file },
      });
    },
  };
}

async function* piecesOf(handle: FileHandle): AsyncGenerator<Buffer, void, undefined> {
  for (let at = 0; ;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(COPY_BYTES), 0, COPY_BYTES, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

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

function localHeader(described: Described): Buffer {
  const { name, packedBytes, sizeBytes } = described;
  // A local header has both sizes in the extra field, or neither.
  const extra = wideNumbers(isWide(described) ? [sizeBytes, packedBytes] : []);
  const signature = Buffer.alloc(LOCAL_HEADER_BYTES - 26);
  signature.writeUInt32LE(LOCAL_HEADER);
  return Buffer.concat([signature, sharedFields(described, extra.length), name, extra]);
}

function centralHeader(described: Described, { file, isExecutable }: WrittenEntry, offset: number): Buffer {
  const { name, packedBytes, sizeBytes } = described;
  const extra = wideNumbers([
    ...[sizeBytes, packedBytes].filter((bytes) => bytes >= SEE_ZIP64_32),
    ...(offset >= SEE_ZIP64_32 ? [offset] : []),
  ]);
  const header = Buffer.alloc(CENTRAL_HEADER_BYTES);
  header.writeUInt32LE(CENTRAL_HEADER, 0);
  header.writeUInt16LE(MADE_ON_UNIX | VERSION_ZIP64, 4);
  sharedFields(described, extra.length).copy(header, 6);
  const isFolder = file === undefined;
  const mode = isFolder ? FOLDER | 0o755 : REGULAR_FILE | (isExecutable ? 0o755 : 0o644);
  header.writeUInt32LE(((mode << 16) | (isFolder ? DOS_FOLDER : 0)) >>> 0, 38);
  header.writeUInt32LE(Math.min(offset, SEE_ZIP64_32), 42);
  return Buffer.concat([header, name, extra]);
}
