import { lstat } from 'node:fs/promises';
import path from 'node:path';
import type { VersionRef } from '../../package/types.js';
import type { StoreLayout } from '../../store/layout.js';
import { releasing } from '../../store/lock.js';
import { namesIn } from '../../store/names-in.js';
import { removeIfEmpty, removeTree } from '../../store/remove-tree.js';
import { treeBytes } from '../seal/tree.js';
import { isPart } from '../transaction/move-by-copy.js';
import { archiveFolder } from '../transaction/transaction.js';
import { tryLockVersion } from '../transaction/version-lock.js';
import type { ArchiveRetention, RemovedArchive } from '../types.js';

/** A version that a prune put aside, without its environment. */
export interface ArchivedVersion extends VersionRef {
  folder: string;
  bytes: number;
  /** When it was archived: the last change of its folder, ms since 1970. */
  archivedMs: number;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** What was archived, newest first. */
export async function archivedVersions(layout: StoreLayout): Promise<ArchivedVersion[]> {
  const root = path.join(layout.algorithms, '.archive');
  const found: ArchivedVersion[] = [];
  for (const name of await namesIn(root)) {
    for (const version of await namesIn(path.join(root, name))) {
      if (isPart(version)) continue;
      const folder = path.join(root, name, version);
      const stats = await lstat(folder).catch(() => undefined);
      if (!stats?.isDirectory()) continue;
      const bytes = await treeBytes(folder);
      found.push({ name, version, folder, bytes, archivedMs: stats.ctimeMs });
    }
  }
  return found.sort((a, b) => b.archivedMs - a.archivedMs);
}

/** Which archives are past the bounds: too many of one name, too old, or, the oldest first, too many bytes in all. */
export function planArchives(
  archives: readonly ArchivedVersion[],
  { keep = Infinity, maxAgeDays = Infinity, maxBytes = Infinity }: ArchiveRetention,
  nowMs = Date.now(),
): ArchivedVersion[] {
  const kept = new Map<string, number>();
  let bytes = 0;
  return archives.filter((one) => {
    const count = (kept.get(one.name) ?? 0) + 1;
    const isPast =
      count > keep || nowMs - one.archivedMs > maxAgeDays * DAY_MS || bytes + one.bytes > maxBytes;
    if (isPast) return true;
    kept.set(one.name, count);
    bytes += one.bytes;
    return false;
  });
}

/** Removes archives past the bounds. An archive that is being restored at this moment is kept. */
export async function pruneArchives(
  layout: StoreLayout,
  bounds: ArchiveRetention,
  { name, dryRun = false }: { name?: string; dryRun?: boolean } = {},
): Promise<RemovedArchive[]> {
  const removed: RemovedArchive[] = [];
  for (const one of planArchives(await archivedVersions(layout), bounds)) {
    if (name !== undefined && one.name !== name) continue;
    if (dryRun || (await removeArchive(layout, one))) {
      removed.push({ name: one.name, version: one.version, freedBytes: one.bytes });
    }
  }
  return removed;
}

async function removeArchive(
  layout: StoreLayout,
  { name, version, folder }: ArchivedVersion,
): Promise<boolean> {
  const lock = await tryLockVersion(layout, name, version, { operation: 'prune the archive of' });
  if (!lock) return false;
  await releasing(lock, () => dropArchive(layout, { name, version }));
  return (await lstat(folder).catch(() => undefined)) === undefined;
}

/** Removes the archive of a version, if there is one, under the version's lock. */
export async function dropArchive(layout: StoreLayout, { name, version }: VersionRef): Promise<void> {
  const folder = archiveFolder(layout, name, version);
  await removeTree(folder);
  const ofName = path.dirname(folder);
  for (const empty of [ofName, path.dirname(ofName)]) await removeIfEmpty(empty).catch(() => undefined);
}
