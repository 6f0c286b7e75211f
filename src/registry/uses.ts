import { randomUUID } from 'node:crypto';
import { lstat, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { livenessOf, ownIdentity, type ProcessIdentity } from '../process/identity.js';
import { readJson, writeJsonAtomic } from '../store/atomic-file.js';
import type { StoreLayout } from '../store/layout.js';

/** A mark that a live process uses a version; gone when released, void when the process dies. */
export interface VersionUse extends AsyncDisposable {
  /** Takes the mark away; twice is once. */
  release(): Promise<void>;
}

const REFRESH_MS = 30_000;
/** A user that cannot be seen from here and has not refreshed its mark for this long is taken for dead. */
const SILENCE_MS = 5 * 60_000;

const UNREADABLE: ProcessIdentity = {
  ...{ host: 'a host that cannot be told', pid: 0, startTime: '', bootId: '', pidNamespace: '' },
};

function usesRoot(layout: StoreLayout): string {
  return path.join(layout.algorithms, '.uses');
}

function usesFolder(layout: StoreLayout, name: string, version: string): string {
  layout.deployed(name, version); // refuses what cannot be a folder name
  return path.join(usesRoot(layout), name, version);
}

/** Marks the version as used by this process. */
export async function markUse(layout: StoreLayout, name: string, version: string): Promise<VersionUse> {
  const folder = usesFolder(layout, name, version);
  const file = path.join(folder, `${randomUUID()}.json`);
  const identity = await ownIdentity();
  await inVanishingFolder(() => writeJsonAtomic(file, identity, 'none')); // void after a reboot anyway
  const refresh = setInterval(() => {
    // Written, not touched: the time is then the file server's, whose clock is everybody's.
    writeFile(file, `${JSON.stringify(identity, null, 2)}\n`, { flag: 'r+' }).catch(() => undefined);
  }, REFRESH_MS);
  refresh.unref();
  let released: Promise<void> | undefined;
  const release = () =>
    (released ??= (async () => {
      clearInterval(refresh);
      await rm(file, { force: true });
      const ofName = path.dirname(folder);
      for (const empty of [folder, ofName, path.dirname(ofName)]) await rmdir(empty).catch(() => undefined);
    })());
  return { release, [Symbol.asyncDispose]: release };
}

/** Processes that use the version and are not known to be dead; marks of dead ones are swept. */
export async function usersOf(
  layout: StoreLayout,
  name: string,
  version: string,
): Promise<ProcessIdentity[]> {
  const folder = usesFolder(layout, name, version);
  const users: ProcessIdentity[] = [];
  for (const mark of await readdir(folder).catch(() => [])) {
    if (!mark.endsWith('.json') || mark.startsWith('.')) continue;
    const file = path.join(folder, mark);
    const identity = (await readJson(file).catch(() => null)) as ProcessIdentity | null | undefined;
    if (identity === undefined) continue; // released meanwhile
    // One that cannot be read is being refreshed, or was cut off at that: its age tells.
    const liveness = identity === null ? 'unknown' : await livenessOf(identity);
    const isDead = liveness === 'dead' || (liveness === 'unknown' && (await isSilent(file, folder)));
    if (isDead) await rm(file, { force: true });
    else users.push(identity ?? UNREADABLE);
  }
  return users;
}

/** Versions that have a mark, of the living or the dead: `name/version`. */
export async function markedVersions(layout: StoreLayout): Promise<ReadonlySet<string>> {
  const root = usesRoot(layout);
  const marked = new Set<string>();
  for (const name of await readdir(root).catch(() => [])) {
    for (const version of await readdir(path.join(root, name)).catch(() => [])) {
      marked.add(`${name}/${version}`);
    }
  }
  return marked;
}

/** Each is another use's end at the very moment; a disk that fails fails them all. */
const VANISHING_ATTEMPTS = 20;

/**
 * Another use that ends may remove the empty folder between its making and the file's (ENOENT), or while its making
 * looks at it (ENOTDIR: what `mkdir` with `recursive` says of a folder that was there and cannot be seen any more).
 */
async function inVanishingFolder(write: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await write();
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if ((code !== 'ENOENT' && code !== 'ENOTDIR') || attempt === VANISHING_ATTEMPTS) throw error;
    }
  }
}

/** Compares with the time of a file made now in the same folder, because the clocks of two hosts differ. */
async function isSilent(file: string, folder: string): Promise<boolean> {
  const probe = path.join(folder, `.${randomUUID()}.probe`);
  try {
    await writeFile(probe, '', { flag: 'wx' });
    const [mark, now] = await Promise.all([lstat(file), lstat(probe)]);
    return now.mtimeMs - mark.mtimeMs > SILENCE_MS;
  } catch {
    return false; // released meanwhile, or a disk that takes no file: not known to be dead
  } finally {
    await rm(probe, { force: true }).catch(() => undefined);
  }
}
