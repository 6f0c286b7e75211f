import { createHash } from 'node:crypto';
import { throwIfAborted } from '../../abort.js';
import type { ArchiveDigests } from '../archive-types.js';
import type { DirectoryEntry } from './central-directory.js';
import { inflateVerified, readVerified } from './entry-reader.js';
import { changed } from './fault.js';
import { STORED } from './format.js';
import type { LoadedArchive } from './load-archive.js';

const CHUNK_BYTES = 1024 * 1024;

/** Up to this size, packed and unpacked, an entry is inflated in one call. */
const SMALL_BYTES = 128 * 1024;

/**
 * Reads an archive once, from its first byte to its last, and takes the SHA-256 of all of it and of its entries as the
 * bytes pass. What is read later is compared with these.
 *
 * @param contents - `all` inflates what is compressed and verifies each entry; `stored` takes only the entries that need
 * no inflating, and leaves their CRC-32 to the unpacking
 * @throws RunnerError `invalid_zip` when the directory is another than the archive was opened with, `aborted`
 */
export async function readWhole(
  { source, directory, inPlace, checker }: LoadedArchive,
  { contents, signal }: { contents: 'all' | 'stored'; signal: AbortSignal },
): Promise<ArchiveDigests> {
  const whole = createHash('sha256');
  const entries = new Map<string, string>();
  const bytes = Math.min(CHUNK_BYTES, Math.max(1, source.size));
  const ring = [Buffer.allocUnsafeSlow(bytes), Buffer.allocUnsafeSlow(bytes)] as const;
  const small = Buffer.allocUnsafe(SMALL_BYTES);
  let at = 0;
  /** Goes on to `end`; what passes is given to `take` as well. */
  const pass = async (end: number, take?: (chunk: Buffer) => void) => {
    while (at < end) {
      throwIfAborted(signal, 'reading of the archive');
      const chunk = await source.read(at, Math.min(bytes, end - at), ring[0]);
      whole.update(chunk);
      take?.(chunk);
      at += chunk.length;
    }
  };
  // Each packed chunk is one of the file, read once, in order.
  const packed = {
    path: source.path,
    read: async (position: number, length: number, into?: Buffer) => {
      const chunk = await source.read(position, length, into);
      whole.update(chunk);
      at = position + length;
      return chunk;
    },
  };
  const contentOf = async (entry: DirectoryEntry, length: number): Promise<string> => {
    if (Math.max(entry.sizeBytes, length) <= SMALL_BYTES) {
      return sha256(inflateVerified(source.path, entry, await packed.read(at, length, small)));
    }
    const hash = createHash('sha256');
    const content = readVerified(packed, entry, { offset: at, length }, signal, ring);
    for await (const chunk of content) hash.update(chunk);
    return hash.digest('hex');
  };
  for (const entry of inPlace) {
    const { offset, length } = checker.range(entry);
    await pass(offset);
    if (entry.isDirectory) continue;
    if (contents === 'all') entries.set(entry.name, await contentOf(entry, length));
    else if (entry.method === STORED) {
      const hash = createHash('sha256');
      await pass(offset + length, (chunk) => hash.update(chunk));
      entries.set(entry.name, hash.digest('hex'));
    }
  }
  await pass(directory.offset);
  const records = createHash('sha256');
  await pass(directory.offset + directory.length, (chunk) => records.update(chunk));
  if (records.digest('hex') !== sha256(Buffer.from(checker.directory, 'latin1'))) throw changed(source.path);
  await pass(source.size);
  return { sha256: whole.digest('hex'), entries };
}

/** SHA-256 of some bytes, in hex. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
