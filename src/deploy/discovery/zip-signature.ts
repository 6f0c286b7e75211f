import { open } from 'node:fs/promises';

/** How a file begins that is a zip, or a program that unpacks itself. */
const BEGINNINGS = ['PK', 'MZ'];

/**
 * Whether a file that cannot be read as a zip may still be on its way: it begins as a zip does, or with zeros (a
 * copying tool may reserve the space first).
 */
export async function mayBecomeZip(file: string): Promise<boolean> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    const begun = buffer.subarray(0, bytesRead);
    return (
      begun.every((byte) => byte === 0) ||
      BEGINNINGS.some((known) => known.startsWith(begun.toString('latin1')))
    );
  } finally {
    await handle.close();
  }
}
