import { open } from 'node:fs/promises';
import { type Binary, type ReadPart } from './binary.js';
import { readElf } from './elf.js';
import { readPe } from './pe.js';

/**
 * What a compiled file needs, read in parts: a library may have gigabytes.
 *
 * @returns undefined for a file that is neither ELF nor PE
 * @throws BinaryFault for a damaged one; the error of the system
 */
export async function readBinary(file: string): Promise<Binary | undefined> {
  const handle = await open(file, 'r');
  try {
    const read: ReadPart = async (offset, length) => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    };
    return (await readElf(read)) ?? (await readPe(read));
  } finally {
    await handle.close();
  }
}
