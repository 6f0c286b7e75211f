import { open } from 'node:fs/promises';
import { crc32 } from '../../src/package/crc32.js';
import { forgeZip } from './forge-zip.js';

/**
 * Writes an archive of stored entries `file0.bin`, `file1.bin`… that are all zeros. The contents are left out of the
 * writing, so that a large archive takes no time and, where the file system knows holes, no room.
 */
export async function writeSparseArchive(
  file: string,
  o: { entries: number; entryBytes: number; lastLocalName?: string | undefined },
): Promise<void> {
  const fields = { crc: crc32(Buffer.alloc(o.entryBytes)), packed: o.entryBytes, size: o.entryBytes };
  const centrals: Buffer[] = [];
  const handle = await open(file, 'w');
  try {
    let at = 0;
    for (let n = 0; n < o.entries; n++) {
      const isLast = n === o.entries - 1;
      const bytes = forgeZip([
        {
          name: `file${n}.bin`,
          method: 0,
          packed: Buffer.alloc(0),
          local: { ...fields, ...(isLast && o.lastLocalName !== undefined ? { name: o.lastLocalName } : {}) },
          central: { ...fields, offset: at },
        },
      ]);
      const headerBytes = bytes.indexOf(Buffer.from('PK\x01\x02', 'latin1'));
      await handle.write(bytes, 0, headerBytes, at);
      centrals.push(bytes.subarray(headerBytes, -22));
      at += headerBytes + o.entryBytes;
    }
    const directory = Buffer.concat(centrals);
    const end = forgeZip([], { end: { entries: o.entries, bytes: directory.length, offset: at } });
    await handle.write(Buffer.concat([directory, end]), 0, undefined, at);
  } finally {
    await handle.close();
  }
}
