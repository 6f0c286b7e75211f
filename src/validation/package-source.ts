import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { type OperationOptions, throwIfAborted } from '../abort.js';
import { RunnerError } from '../errors.js';
import type { Archive, ArchiveEntry } from '../package/archive-types.js';
import { resolveLimits } from '../package/archive/limits.js';
import type { ArchiveLimits, Wheel } from '../package/types.js';
import { lookIntoWheel, lookIntoWheelFile, type WheelFacts } from './wheel-look.js';

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

/** What a package is inspected from: a zip, or a folder that was unpacked. */
export interface PackageSource {
  path: string;
  entries: readonly ArchiveEntry[];
  get(name: string): ArchiveEntry | undefined;
  /** What the package and its wheels are held to. */
  limits: Readonly<ArchiveLimits>;
  /** See {@link Archive.nameDoubt}. */
  nameDoubt?: string;
  sizeBytes: number;
  unpackedBytes: number;
  read(entry: ArchiveEntry, o?: OperationOptions): Promise<Buffer>;
  /** What a wheel says of itself; undefined where it could not be looked into. */
  wheelFacts(entry: ArchiveEntry, wheel: Wheel, o?: OperationOptions): Promise<WheelFacts | undefined>;
}

/** Longest small text file of a package that is read. */
export const MAX_TEXT_BYTES = 4 * 1024 * 1024;

/** An open archive as a source. */
export function archiveSource(archive: Archive): PackageSource {
  return {
    path: archive.path,
    entries: archive.entries,
    get: (name) => archive.get(name),
    limits: archive.limits,
    nameDoubt: archive.nameDoubt,
    sizeBytes: archive.sizeBytes,
    unpackedBytes: archive.unpackedBytes,
    read: (entry, o) => archive.read(entry, { ...o, maxBytes: MAX_TEXT_BYTES }),
    wheelFacts: (entry, wheel, o) => lookIntoWheel(archive, entry, wheel, o),
  };
}
