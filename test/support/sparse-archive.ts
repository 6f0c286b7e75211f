import { open } from 'node:fs/promises';
import { crc32 } from '../../src/package/crc32.js';
import { forgeZip, type ForgedEntry } from './forge-zip.js';

/**
 * Writes an archive of stored entries `file0.bin`, `file1.bin`… that are all zeros. The contents are left out of the
 * writing, so that a large archive takes no time and, where the file system knows holes, no room.
 */
export async function writeSparseArchive(
  file: string,
  o: {
    entries: number;
    entryBytes: number;
    /** The last of the large entries has another name in its local header. */
    lastLocalName?: string | undefined;
    /** Put before the names of the large entries. @defaultValue '' */
    folder?: string;
    /** Entries that come first and are written as they are. */
    first?: readonly ForgedEntry[];
  },
): Promise<void> {
  const { first = [], folder = '' } = o;
  const fields = { crc: crc32(Buffer.alloc(o.entryBytes)), packed: o.entryBytes, size: o.entryBytes };
  const centrals: Buffer[] = [];
  const handle = await open(file, 'w');
  try {
    let at = 0;
    const write = async (entry: ForgedEntry, hole: number): Promise<void> => {
      const bytes = forgeZip([{ ...entry, central: { ...entry.central, offset: at } }]);
      const directory = bytes.readUInt32LE(bytes.length - 6);
      await handle.write(bytes, 0, directory, at);
      centrals.push(bytes.subarray(directory, -22));
      at += directory + hole;
    };
    for (const entry of first) await write(entry, 0);
    for (let n = 0; n < o.entries; n++) {
      const isLast = n === o.entries - 1;
      const renamed = isLast && o.lastLocalName !== undefined ? { name: o.lastLocalName } : {};
      await write(
        {
          name: `${folder}file${n}.bin`,
          method: 0,
          packed: Buffer.alloc(0),
          local: { ...fields, ...renamed },
          central: fields,
        },
        o.entryBytes,
      );
    }
    const directory = Buffer.concat(centrals);
    const entries = first.length + o.entries;
    const end = forgeZip([], { end: { entries, bytes: directory.length, offset: at } });
    await handle.write(Buffer.concat([directory, end]), 0, undefined, at);
  } finally {
    await handle.close();
  }
}
