import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted, type OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import { resolveLimits } from '../package/archive/limits.js';
import type { ArchiveEntry } from '../package/archive-types.js';
import type { ArchiveLimits } from '../package/types.js';
import { MAX_TEXT_BYTES, type PackageSource } from './package-source.js';
import { lookIntoWheelFile } from './wheel-look.js';

/**
 * A folder as a source: a project as it is developed, an unpacked zip or a deployed version. Its environment is not
 * part of it. Links are followed to files, never into folders, where they may turn in a circle; pipes, sockets and
 * devices, which would be waited for, are not there.
 */
export async function folderSource(
  folder: string,
  { limits, signal }: { limits?: Partial<ArchiveLimits> } & OperationOptions = {},
): Promise<PackageSource> {
  const resolved = resolveLimits(limits);
  const { maxEntries } = resolved;
  const entries: ArchiveEntry[] = [];
  let total = 0;
  const walk = async (relative: string): Promise<void> => {
    throwIfAborted(signal, `reading of ${folder}`);
    for (const found of await readdir(path.join(folder, relative), { withFileTypes: true })) {
      const name = relative === '' ? found.name : `${relative}/${found.name}`;
      if (name === 'venv' || found.name === '__pycache__') continue;
      const facts = await stat(path.join(folder, name)).catch(() => undefined);
      if (!facts?.isFile() && !facts?.isDirectory()) continue;
      const isDirectory = facts.isDirectory();
      const sizeBytes = isDirectory ? 0 : facts.size;
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
      if (entries.length > maxEntries) throw tooMany(folder, maxEntries);
      if (found.isDirectory()) await walk(name);
    }
  };
  await walk('');
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  return {
    path: folder,
    entries,
    get: (name) => byName.get(name),
    limits: resolved,
    sizeBytes: total,
    unpackedBytes: total,
    read: (entry, o) => readSmall(path.join(folder, entry.name), o),
    wheelFacts: (entry, wheel, o) =>
      lookIntoWheelFile(path.join(folder, entry.name), wheel, { ...o, limits }),
  };
}

async function readSmall(file: string, { signal }: OperationOptions = {}): Promise<Buffer> {
  throwIfAborted(signal, `reading of ${file}`);
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    if (size > MAX_TEXT_BYTES) {
      throw new RunnerError(
        'invalid_zip',
        `${file} is ${size} bytes long; no more than ${MAX_TEXT_BYTES} are read of such a file`,
        { details: { path: file } },
      );
    }
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

function tooMany(folder: string, most: number): RunnerError {
  return new RunnerError(
    'invalid_zip',
    `${folder} has more than ${most} files and folders: give the folder of one project, or raise maxEntries in the option limits`,
    { details: { path: folder } },
  );
}
