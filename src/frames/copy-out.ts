import { read as readCallback } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { promisify } from 'node:util';

const read = promisify(readCallback);
const PORTION_BYTES = 1 << 20;

/**
 * Copies the first bytes behind a descriptor to a file, which is another one than that of the name before. By the
 * descriptor, not by an address: a view may be revoked while another thread writes.
 */
export async function copyOut(descriptor: number, length: number, file: string): Promise<void> {
  await rm(file, { recursive: true, force: true });
  const to = await open(file, 'wx', 0o640);
  try {
    const portion = Buffer.allocUnsafe(Math.min(length, PORTION_BYTES));
    for (let at = 0; at < length;) {
      const wanted = Math.min(portion.length, length - at);
      const { bytesRead } = await read(descriptor, portion, 0, wanted, at);
      if (bytesRead === 0) throw new Error(`${file} cannot be copied: the frame ends after ${at} bytes`);
      await to.writeFile(portion.subarray(0, bytesRead));
      at += bytesRead;
    }
  } finally {
    await to.close();
  }
}
