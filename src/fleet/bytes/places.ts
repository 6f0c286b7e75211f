import { createHash } from 'node:crypto';
import { lstat, open } from 'node:fs/promises';
import { throwIfAborted } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { isMissing } from '../../store/errno.js';
import type { OpenArchives } from './open-archives.js';

/** Where content lies on this station. */
export type Place =
  /** A file, or a part of it. */
  | { file: string; offset?: number }
  /** An entry of a zip. */
  | { zip: string; mark: string; entry: string };

/** Content that is wanted. */
export interface WantedContent {
  sha256: string;
  sizeBytes: number;
}

const READ_BYTES = 2 ** 18;

/** What lies at a place is not, or no longer, what was there. */
export class PlaceChanged extends Error {}

/**
 * The content at a place. The last piece comes only once the digest of all is right: a reader that passes it on gives too few
 * bytes where something has changed, never wrong ones without a sign.
 *
 * @param from - bytes before this one are read and checked, and not given
 * @throws PlaceChanged
 */
export async function* readPlace(
  place: Place,
  { sha256, sizeBytes }: WantedContent,
  { archives, from = 0, signal }: { archives: OpenArchives; from?: number; signal?: AbortSignal | undefined },
): AsyncGenerator<Buffer, void, undefined> {
  const hash = createHash('sha256');
  let bytes = 0;
  let held: Buffer | undefined;
  const content = 'zip' in place ? readZip(place, archives, signal) : readFileAt(place, sizeBytes, signal);
  try {
    for await (const chunk of content) {
      hash.update(chunk);
      const wanted = chunk.subarray(Math.max(0, from - bytes));
      bytes += chunk.length;
      if (bytes > sizeBytes) break;
      if (held && wanted.length > 0) yield held;
      if (wanted.length > 0) held = wanted;
    }
  } catch (error) {
    if (isMissing(error) || RunnerError.is(error, 'invalid_zip') || RunnerError.is(error, 'not_found')) {
      throw new PlaceChanged((error as Error).message, { cause: error });
    }
    throw error;
  }
  if (bytes !== sizeBytes || hash.digest('hex') !== sha256) throw new PlaceChanged('its content has changed');
  if (held) yield held;
}

function readZip(
  { zip, mark, entry }: Extract<Place, { zip: string }>,
  archives: OpenArchives,
  signal: AbortSignal | undefined,
): AsyncIterable<Buffer> {
  return archives.use(zip, mark, async function* (archive) {
    const found = archive.get(entry);
    if (!found) throw new PlaceChanged(`${zip} has no ${entry} any more`);
    yield* (await archive.stream(found, { signal })) as AsyncIterable<Buffer>;
  });
}

async function* readFileAt(
  { file, offset }: { file: string; offset?: number },
  sizeBytes: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, void, undefined> {
  const stats = await lstat(file); // a pipe in the place of a file would be waited for
  if (
    !stats.isFile() ||
    (offset === undefined ? stats.size !== sizeBytes : stats.size < offset + sizeBytes)
  ) {
    throw new PlaceChanged(`${file} is another file now`);
  }
  const handle = await open(file, 'r');
  try {
    for (let at = 0; at < sizeBytes;) {
      throwIfAborted(signal, 'reading of a file');
      const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, sizeBytes - at));
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, (offset ?? 0) + at);
      if (bytesRead === 0) throw new PlaceChanged(`${file} became shorter`);
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}
