import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { OperationOptions } from '../abort.js';
import { openArchive } from '../package/archive.js';
import type { Archive, ArchiveEntry } from '../package/archive-types.js';
import { metadataOf, readWheelMetadata, type WheelMetadata } from '../package/wheel-metadata.js';

/** What a package is inspected from: a zip, or a folder that was unpacked. */
export interface PackageSource {
  path: string;
  entries: readonly ArchiveEntry[];
  get(name: string): ArchiveEntry | undefined;
  sizeBytes: number;
  unpackedBytes: number;
  read(entry: ArchiveEntry, o?: OperationOptions): Promise<Buffer>;
  wheelMetadata(entry: ArchiveEntry, o?: OperationOptions): Promise<WheelMetadata | undefined>;
}

const MAX_TEXT_BYTES = 4 * 1024 * 1024;

/** An open archive as a source. */
export function archiveSource(archive: Archive): PackageSource {
  return {
    path: archive.path,
    entries: archive.entries,
    get: (name) => archive.get(name),
    sizeBytes: archive.sizeBytes,
    unpackedBytes: archive.unpackedBytes,
    read: (entry, o) => archive.read(entry, { ...o, maxBytes: MAX_TEXT_BYTES }),
    wheelMetadata: (entry, o) => readWheelMetadata(archive, entry, o),
  };
}

/** A folder as a source: a project as it is developed, or a deployed version. Its environment is not part of it. */
export async function folderSource(folder: string): Promise<PackageSource> {
  const entries: ArchiveEntry[] = [];
  let total = 0;
  const walk = async (relative: string): Promise<void> => {
    for (const found of await readdir(path.join(folder, relative), { withFileTypes: true })) {
      const name = relative === '' ? found.name : `${relative}/${found.name}`;
      if (name === 'venv' || found.name === '__pycache__') continue;
      const isDirectory = found.isDirectory();
      const sizeBytes = isDirectory ? 0 : (await stat(path.join(folder, name))).size;
      total += sizeBytes;
      entries.push({
        name,
        isDirectory,
        sizeBytes,
        compressedBytes: sizeBytes,
        crc32: 0,
        method: 0,
        mode: undefined,
      });
      if (isDirectory) await walk(name);
    }
  };
  await walk('');
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  return {
    path: folder,
    entries,
    get: (name) => byName.get(name),
    sizeBytes: total,
    unpackedBytes: total,
    read: (entry, o) => readFile(path.join(folder, entry.name), { signal: o?.signal }),
    wheelMetadata: async (entry, o) => {
      await using wheel = await openArchive(path.join(folder, entry.name), o);
      return await metadataOf(wheel, o);
    },
  };
}
