import { open, type FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { deflateRaw } from 'node:zlib';
import { RunnerError } from '../../errors.js';
import { crc32 } from '../crc32.js';
import { DEFLATED, STORED } from './format.js';
import {
  centralHeader,
  endRecords,
  FOLDER,
  localHeader,
  REGULAR_FILE,
  type Described,
} from './write-headers.js';

/** One entry of an archive to write: a folder, whose name ends in `/`, or a file on disk. */
export interface WrittenEntry {
  /** Path in the archive, with `/`. */
  name: string;
  /** Where its content is; undefined for a folder. */
  file?: string;
  sizeBytes: number;
  isExecutable: boolean;
}

/** A file up to this size is read once, and deflated where that helps. A larger one is read twice and stored. */
const READ_AT_ONCE_BYTES = 16 * 2 ** 20;
const COPY_BYTES = 2 ** 20;

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
    const mode =
      entry.file === undefined ? FOLDER | 0o755 : REGULAR_FILE | (entry.isExecutable ? 0o755 : 0o644);
    directory.push(centralHeader(described, mode, offset));
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
