import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { throwIfAborted, type OperationOptions } from '../abort.js';

const CHUNK_BYTES = 256 * 1024;

/** Hash of a file, in lower-case hex. Through one buffer: a stream takes a fresh one for every chunk, faster than they are collected. */
export async function hashFile(
  file: string,
  { algorithm = 'sha256', signal }: { algorithm?: string } & OperationOptions,
): Promise<string> {
  const hash = createHash(algorithm);
  const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  const handle = await open(file);
  try {
    for (;;) {
      throwIfAborted(signal, 'hashing of a file');
      const { bytesRead } = await handle.read(buffer, 0, buffer.length);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}
