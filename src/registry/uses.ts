import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { livenessOf, ownIdentity, type ProcessIdentity } from '../process/identity.js';
import { readJson, writeJsonAtomic } from '../store/atomic-file.js';
import type { StoreLayout } from '../store/layout.js';

/** A mark that a live process uses a version; gone when released, void when the process dies. */
export interface VersionUse extends AsyncDisposable {
  release(): Promise<void>;
}

function usesFolder(layout: StoreLayout, name: string, version: string): string {
  layout.deployed(name, version); // refuses what cannot be a folder name
  return path.join(layout.algorithms, '.uses', name, version);
}

/** Marks the version as used by this process. */
export async function markUse(layout: StoreLayout, name: string, version: string): Promise<VersionUse> {
  const folder = usesFolder(layout, name, version);
  const file = path.join(folder, `${randomUUID()}.json`);
  await mkdir(folder, { recursive: true });
  await writeJsonAtomic(file, await ownIdentity(), 'none'); // void after a reboot anyway
  let released: Promise<void> | undefined;
  const release = () =>
    (released ??= (async () => {
      await rm(file, { force: true });
      const ofName = path.dirname(folder);
      for (const empty of [folder, ofName, path.dirname(ofName)]) await rmdir(empty).catch(() => undefined);
    })());
  return { release, [Symbol.asyncDispose]: release };
}

/** Processes that use the version and are not proven dead; marks of dead ones are swept. */
export async function usersOf(
  layout: StoreLayout,
  name: string,
  version: string,
): Promise<ProcessIdentity[]> {
  const folder = usesFolder(layout, name, version);
  const users: ProcessIdentity[] = [];
  for (const file of await readdir(folder).catch(() => [])) {
    if (!file.endsWith('.json') || file.startsWith('.')) continue;
    const identity = (await readJson(path.join(folder, file)).catch(() => undefined)) as
      ProcessIdentity | undefined;
    if (identity && (await livenessOf(identity)) !== 'dead') users.push(identity);
    else await rm(path.join(folder, file), { force: true });
  }
  return users;
}
