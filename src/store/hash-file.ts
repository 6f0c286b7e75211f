import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { throwIfAborted, type OperationOptions } from '../abort.js';

const CHUNK_BYTES = 256 * 1024;

/** How to hash a file. */
type HashOptions = OperationOptions & {
  /** As `node:crypto` names it. @defaultValue 'sha256' */
  algorithm?: string;
};

/** Hash of a file, in lower-case hex. */
export async function hashFile(file: string, o: HashOptions = {}): Promise<string> {
  const handle = await open(file);
  try {
    return await hashOpen(handle, o);
  } finally {
    await handle.close();
  }
}

/** The same of an open file, from where it stands. Through one buffer: a stream takes a fresh one for every chunk, faster than they are collected. */
export async function hashOpen(
  handle: FileHandle,
  { algorithm = 'sha256', signal }: HashOptions = {},
): Promise<string> {
  const hash = createHash(algorithm);
  const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  for (;;) {
    throwIfAborted(signal, 'hashing of a file');
    const { bytesRead } = await handle.read(buffer, 0, buffer.length);
    if (bytesRead === 0) return hash.digest('hex');
    hash.update(buffer.subarray(0, bytesRead));
  }
}
