import { createHash } from 'node:crypto';
import { RunnerError } from '../../errors.js';
import type { PictureAt } from './wire.js';

/**
 * Fetches a picture that a call names. The caller chose the address: nothing that comes from it is passed on before its size and its
 * digest are those of the call, redirects are not followed, and no more is read than was promised.
 *
 * @throws RunnerError `unreachable`; `invalid_image` for another picture
 */
export async function fetchPicture(
  { url, digest, sizeBytes }: PictureAt,
  signal: AbortSignal,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    const response = await fetch(url, { signal, redirect: 'error' });
    if (response.status !== 200 || !response.body) throw new Error(`status ${response.status}`);
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > sizeBytes) break;
      chunks.push(Buffer.from(chunk));
    }
  } catch (cause) {
    throw new RunnerError('unreachable', `The picture of the call could not be fetched from ${hostOf(url)}`, {
      cause,
    });
  }
  const bytes = Buffer.concat(chunks);
  checkPicture(bytes, { digest, sizeBytes });
  return bytes;
}

/** @throws RunnerError `invalid_image` */
export function checkPicture(picture: Uint8Array, { digest, sizeBytes }: Omit<PictureAt, 'url'>): void {
  if (picture.length === sizeBytes && digestOf(picture) === digest) return;
  throw new RunnerError(
    'invalid_image',
    'The picture of the call is another than it names, by size or digest',
    { retryable: true },
  );
}

/** SHA-256 in hexadecimal digits. */
export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function hostOf(url: string): string {
  return new URL(url).host;
}
