import { lstat, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { RunnerError } from '../errors.js';
import { isTemporaryName, writeJsonAtomic, type Durability } from '../store/atomic-file.js';
import { whileHeld } from '../store/held-files.js';
import type { StoreLayout } from '../store/layout.js';
import { hasLockFiles, withLock } from '../store/lock.js';
import { setAside } from '../store/set-aside.js';
import { readRegistryFile, type RegistryContent } from './registry-file.js';

type Active = RegistryContent['active'];

/** How long a program that reads a file of the registry is waited for. */
const READING_MS = 5_000;

/**
 * Makes `active/` say what the registry says; only files that differ are touched. Those of product ids that are no
 * longer bound go first: on a file system that folds case one of them may be the file of another id.
 */
export async function publishMappings(
  layout: StoreLayout,
  active: Active,
  durability: Durability,
): Promise<void> {
  const { stale, missing } = await differences(layout, active);
  for (const file of stale) await removeFile(file);
  for (const { file, mapping } of missing) {
    await putAsideFolder(file);
    await writeJsonAtomic(file, mapping, durability);
  }
}

/** As {@link publishMappings}, where it is known what `active/` says: looks at no file that need not change. */
export async function publishChanges(
  layout: StoreLayout,
  before: Active,
  active: Active,
  durability: Durability,
): Promise<void> {
  const gone = Object.keys(before).filter((pid) => !(pid in active));
  if (gone.length > 0) {
    const kept = new Set(Object.keys(active).map((pid) => pid.toLowerCase()));
    // The file that goes may be, on a file system that folds case, the one of another id: then all are looked at.
    if (gone.some((pid) => kept.has(pid.toLowerCase()))) return publishMappings(layout, active, durability);
  }
  for (const pid of gone) await removeCopy(layout.active(pid));
  for (const [pid, mapping] of Object.entries(active)) {
    const isSame = pid in before && JSON.stringify(before[pid]) === JSON.stringify(mapping);
    if (!isSame) await writeJsonAtomic(layout.active(pid), mapping, durability);
  }
}

/** Whether there is anything for {@link sweepRegistry} to do. */
async function isUntidy(layout: StoreLayout, active: Active): Promise<boolean> {
  if (await hasLockFiles(layout.lock)) return true;
  if ((await unfinishedFiles(layout)).length > 0) return true;
  const { stale, missing } = await differences(layout, active);
  return stale.length > 0 || missing.length > 0;
}

/**
 * Removes what a process that died in the middle of a change left: its lock, files half written, copies not written.
 * While another process holds the registry nothing is done: that process does it.
 */
export async function sweepRegistry(
  layout: StoreLayout,
  active: Active,
  durability: Durability,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (!(await isUntidy(layout, active))) return;
  try {
    await withLock(layout.lock, { operation: 'recover', timeoutMs: 0, signal }, async () => {
      // A process that writes them holds the lock: none writes any now.
      for (const file of await unfinishedFiles(layout)) await rm(file, { force: true });
      const { content, state, problems } = await readRegistryFile(layout);
      if (state === 'read' && problems.length === 0)
        await publishMappings(layout, content.active, durability);
    });
  } catch (error) {
    if (!RunnerError.is(error, 'lock_timeout')) throw error;
  }
}

/** Files that {@link sweepRegistry} would write or remove: copies that differ, and unfinished ones. */
export async function untidyFiles(
  layout: StoreLayout,
  active: Active,
): Promise<{ wrong: string[]; unfinished: string[] }> {
  const { stale, missing } = await differences(layout, active);
  return { wrong: [...stale, ...missing.map(({ file }) => file)], unfinished: await unfinishedFiles(layout) };
}

/** Files that a writer of the registry died over, or is writing. */
async function unfinishedFiles(layout: StoreLayout): Promise<string[]> {
  const found: string[] = [];
  for (const folder of [layout.root, layout.activeRoot]) {
    for (const name of await readdir(folder).catch(() => [])) {
      if (isTemporaryName(name)) found.push(path.join(folder, name));
    }
  }
  return found;
}

async function differences(layout: StoreLayout, active: Active) {
  const wanted = new Map(Object.values(active).map((mapping) => [layout.active(mapping.pid), mapping]));
  const there = (await readdir(layout.activeRoot).catch(() => []))
    .filter((name) => name.endsWith('.json') && !name.startsWith('.'))
    .map((name) => path.join(layout.activeRoot, name));
  const stale = there.filter((file) => !wanted.has(file));
  const missing: { file: string; mapping: Active[string] }[] = [];
  for (const [file, mapping] of wanted) {
    const current = await readFile(file, 'utf8').catch(() => undefined);
    if (current !== `${JSON.stringify(mapping, null, 2)}\n` || stale.some((other) => foldsTo(other, file))) {
      missing.push({ file, mapping });
    }
  }
  return { stale, missing };
}

function foldsTo(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

async function removeFile(file: string): Promise<void> {
  if (!(await putAsideFolder(file))) await removeCopy(file);
}

/** Removes a copy. On Windows a program that reads it is waited for: else it would find the product id active still. */
export async function removeCopy(file: string, platform: NodeJS.Platform = process.platform): Promise<void> {
  const remove = () => rm(file, { force: true });
  await whileHeld(`remove ${file}`, remove, { platform, limitMs: READING_MS });
}

/** A folder in the place of a mapping is not ours, and would stop each change: it is put aside. Whether there was one. */
async function putAsideFolder(file: string): Promise<boolean> {
  if (!(await lstat(file).catch(() => undefined))?.isDirectory()) return false;
  await setAside(file);
  return true;
}
