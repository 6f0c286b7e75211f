import type { FileHandle } from 'node:fs/promises';
import { throwIfAborted } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { crc32 } from '../crc32.js';
import { STORED } from './format.js';
import type { LoadedArchive } from './load-archive.js';
import { centralHeader, endRecords, localHeader, REGULAR_FILE } from './write-headers.js';

/** A small file to append. Its name is ASCII. */
export interface NewEntry {
  name: string;
  content: Buffer;
}

const COPY_BYTES = 1024 * 1024;

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
  const { content } = entry;
  const sizes = { packedBytes: content.length, sizeBytes: content.length };
  const described = { name: Buffer.from(entry.name), method: STORED, crc: crc32(content), ...sizes };
  const header = localHeader(described);
  const record = centralHeader(described, REGULAR_FILE | 0o644, kept.bytes);
  const directory = Buffer.concat([...kept.records, record]);
  const offset = kept.bytes + header.length + content.length;
  const end = endRecords({ entries: kept.records.length + 1, bytes: directory.length, offset });
  await append(out, Buffer.concat([header, content, directory, end]));
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
