import { randomUUID } from 'node:crypto';
import { lstat, open, rm } from 'node:fs/promises';
import path from 'node:path';
import type { OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import type { Archive, ArchiveEntry } from '../../package/archive-types.js';
import { openArchive } from '../../package/archive/open-archive.js';
import type { ArchiveLimits } from '../../package/types.js';
import {
  makeFolder,
  readJson,
  renameOver,
  writeFileAtomic,
  writeJsonAtomic,
} from '../../store/atomic-file.js';
import { acquireLock } from '../../store/lock.js';
import { onStore } from '../../store/store-error.js';
import { writeWhole } from '../../store/write-whole.js';
import { doors } from './options.js';
import { manifestOf } from './content-manifest.js';
import { nameOf } from './content-store.js';

/** A package as the index of a source lists it, in JSON as it is there. */
export interface ListedPackage {
  name: string;
  version: string;
  /** Canonical digest. */
  digest: string;
  /** Sum of the sizes of its entries. */
  size_bytes: number;
}

/**
 * Writes a package into a folder that any web server can serve as a source: `index.json`, `packages/<digest>` and
 * `blobs/<sha256>`. Content that another package has brought is there once.
 *
 * @param zip - path of the package
 * @param folder - is made where it is missing
 * @throws RunnerError `invalid_zip`, `not_found`, `store_failed`, `lock_timeout`, `aborted`, `invalid_params`
 */
export async function exportPackage(
  zip: string,
  folder: string,
  o: OperationOptions & { limits?: Partial<ArchiveLimits> } = {},
): Promise<ListedPackage> {
  doors().export.check(o);
  const { signal } = o;
  return onStore(`export to ${folder}`, async () => {
    await using archive = await openArchive(zip, o);
    const about = await nameOf(archive, o);
    if (!about) {
      throw new RunnerError(
        'invalid_zip',
        `${zip} has no manifest.json that tells name and version: check it first`,
        {
          details: { path: zip },
        },
      );
    }
    const manifest = await manifestOf(archive, { signal });
    await makeFolder(folder, 'none');
    await using _lock = await acquireLock(path.join(folder, '.lock'), {
      operation: `export ${about.name}`,
      signal,
    });
    for (const { name, sha256, isDirectory } of manifest.entries) {
      const entry = archive.get(name);
      if (!isDirectory && entry) await writeBlob(archive, entry, path.join(folder, 'blobs', sha256), signal);
    }
    await writeFileAtomic(path.join(folder, 'packages', manifest.digest), manifest.text);
    const listed = { ...about, digest: manifest.digest, size_bytes: manifest.totalBytes };
    await addToIndex(path.join(folder, 'index.json'), listed);
    return listed;
  });
}

async function writeBlob(
  archive: Archive,
  entry: ArchiveEntry,
  file: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const there = await lstat(file).catch(() => undefined);
  if (there?.isFile() && there.size === entry.sizeBytes) return;
  await makeFolder(path.dirname(file), 'none');
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    const handle = await open(temporary, 'wx', 0o644);
    try {
      for await (const chunk of await archive.stream(entry, { signal }))
        await writeWhole(handle, chunk as Buffer);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await renameOver(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function addToIndex(file: string, listed: ListedPackage): Promise<void> {
  const before = await readJson(file).catch(() => undefined);
  const others = Array.isArray(before) ? (before as Partial<ListedPackage>[]) : [];
  await writeJsonAtomic(file, [...others.filter(({ digest }) => digest !== listed.digest), listed]);
}
