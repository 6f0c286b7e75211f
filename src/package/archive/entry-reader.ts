import type { InflateRaw } from 'node:zlib';
import { throwIfAborted } from '../../abort.js';
import { crc32 } from '../crc32.js';
import type { ByteSource } from './byte-source.js';
import type { DirectoryEntry } from './central-directory.js';
import type { FileRange } from '../archive-types.js';
import { decompressionOf, type Decompression, type Inflated } from './decompression.js';
import { COPY_AGAIN, zipFault } from './fault.js';
import { STORED } from './format.js';

/** Large enough that the work per chunk does not count, small enough that several fit any memory. */
export const CHUNK_BYTES = 256 * 1024;

/** zlib takes no chunk below 64 bytes, and a small one would cost a turn of the event loop each. */
const MIN_INFLATE_BYTES = 64 * 1024;

/**
 * The content of an entry, in chunks, counted and hashed as it passes: never more than the declared size; at the end
 * exactly the declared size, CRC-32 and use of the packed bytes.
 *
 * @param ring - buffers to read into, used in turn; a chunk of a stored entry then holds until the next but one is
 * asked for. Without it every chunk is memory of its own. Their length is also that of inflated chunks.
 * @throws RunnerError `invalid_zip` when a promise of the directory is not kept
 */
export async function* readVerified(
  source: Pick<ByteSource, 'path' | 'read'>,
  entry: DirectoryEntry,
  range: FileRange,
  signal?: AbortSignal,
  ring?: readonly Buffer[],
): AsyncGenerator<Buffer, void, undefined> {
  const meter = new ContentMeter(source.path, entry);
  const packed = rawChunks(source, range, signal, ring);
  const chunkBytes = ring?.[0]?.length ?? CHUNK_BYTES;
  const inflate = entry.method === STORED ? undefined : decompressionOf(entry.method).stream;
  const chunks = inflate
    ? inflated(
        source.path,
        entry,
        range,
        packed,
        inflate({ chunkSize: Math.max(MIN_INFLATE_BYTES, chunkBytes) }),
      )
    : packed;
  for await (const chunk of chunks) {
    meter.add(chunk);
    yield chunk;
  }
  meter.finish();
}

/** The content of a small entry, from its packed bytes, verified in the same way. */
export function inflateVerified(archive: string, entry: DirectoryEntry, packed: Buffer): Buffer {
  const meter = new ContentMeter(archive, entry);
  const content =
    entry.method === STORED
      ? packed
      : inflateAtOnce(archive, entry, packed, decompressionOf(entry.method).atOnce);
  meter.add(content);
  meter.finish();
  return content;
}

/** Counts and hashes what comes out of an entry. */
class ContentMeter {
  #bytes = 0;
  #crc = 0;

  constructor(
    private readonly archive: string,
    private readonly entry: DirectoryEntry,
  ) {}

  add(chunk: Buffer): void {
    const { entry } = this;
    this.#bytes += chunk.length;
    if (this.#bytes > entry.sizeBytes) throw tooLong(this.archive, entry);
    this.#crc = crc32(chunk, this.#crc);
  }

  finish(): void {
    const { archive, entry } = this;
    if (this.#bytes !== entry.sizeBytes) {
      throw damage(archive, entry, `has ${this.#bytes} bytes, not the ${entry.sizeBytes} declared`);
    }
    if (this.#crc !== entry.crc32) {
      throw damage(archive, entry, `is damaged: its CRC-32 is ${hex(this.#crc)}, not ${hex(entry.crc32)}`);
    }
  }
}

async function* rawChunks(
  source: Pick<ByteSource, 'path' | 'read'>,
  range: FileRange,
  signal: AbortSignal | undefined,
  ring: readonly Buffer[] | undefined,
): AsyncGenerator<Buffer, void, undefined> {
  const end = range.offset + range.length;
  const chunkBytes = ring?.[0]?.length ?? CHUNK_BYTES;
  for (let at = range.offset, turn = 0; at < end; at += chunkBytes, turn++) {
    throwIfAborted(signal, 'reading of the archive');
    yield await source.read(at, Math.min(chunkBytes, end - at), ring?.[turn % ring.length]);
  }
}

async function* inflated(
  archive: string,
  entry: DirectoryEntry,
  range: FileRange,
  packed: AsyncIterable<Buffer>,
  inflater: InflateRaw,
): AsyncGenerator<Buffer, void, undefined> {
  const feeding = feed(inflater, packed).catch((error: unknown) => inflater.destroy(error as Error));
  try {
    for await (const chunk of inflater) yield chunk as Buffer;
  } catch (error) {
    throw inflateFault(archive, entry, error);
  } finally {
    inflater.destroy();
    await feeding;
  }
  if (inflater.bytesWritten !== range.length) {
    throw leftOver(archive, entry, range.length - inflater.bytesWritten);
  }
}

/** Writes one chunk while the next is read; ends early when the inflater is gone. */
async function feed(inflater: InflateRaw, packed: AsyncIterable<Buffer>): Promise<void> {
  const gone = new Promise<void>((resolve) => inflater.once('close', resolve));
  let taken: Promise<void> = Promise.resolve();
  for await (const chunk of packed) {
    await taken;
    if (inflater.destroyed || inflater.readableEnded) return;
    // An inflater that is destroyed in the middle of a write never calls back; that it is gone is waited for as well.
    const written = new Promise<void>((resolve) => {
      inflater.write(chunk, () => {
        resolve();
      });
    });
    taken = Promise.race([written, gone]);
  }
  await taken;
  if (!inflater.destroyed) inflater.end();
}

function inflateAtOnce(
  archive: string,
  entry: DirectoryEntry,
  packed: Buffer,
  inflate: Decompression['atOnce'],
): Buffer {
  let result: Inflated;
  try {
    result = inflate(packed, {
      info: true,
      // Zero is no valid bound; one byte past the declared size already proves the lie.
      maxOutputLength: entry.sizeBytes + 1,
      chunkSize: Math.min(Math.max(64, entry.sizeBytes + 1), CHUNK_BYTES),
    }) as Inflated;
  } catch (error) {
    throw inflateFault(archive, entry, error);
  }
  const { buffer, engine } = result;
  if (engine.bytesWritten !== packed.length)
    throw leftOver(archive, entry, packed.length - engine.bytesWritten);
  return buffer;
}

function inflateFault(archive: string, entry: DirectoryEntry, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ERR_BUFFER_TOO_LARGE') return tooLong(archive, entry);
  const reason = error instanceof Error ? error.message : '';
  // Deno gives those of Zstandard no code.
  const isOfData = typeof code === 'string' ? /^(?:Z_|ZSTD_)/.test(code) : reason.startsWith('Zstd');
  if (!isOfData) return error;
  return damage(archive, entry, `is damaged in its compressed data (${reason})`, error);
}

function tooLong(archive: string, entry: DirectoryEntry): Error {
  return damage(archive, entry, `has more than the ${entry.sizeBytes} bytes declared`);
}

function leftOver(archive: string, entry: DirectoryEntry, bytes: number): Error {
  return damage(archive, entry, `has compressed data that end ${bytes} bytes before they should`);
}

function damage(archive: string, { name }: DirectoryEntry, fault: string, cause?: unknown): Error {
  return zipFault(archive, fault, name, { remedy: COPY_AGAIN, cause });
}

function hex(crc: number): string {
  return `0x${crc.toString(16).padStart(8, '0')}`;
}
