import { randomUUID } from 'node:crypto';
import { lstat, mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { livenessOf, ownIdentity, type ProcessIdentity } from '../process/identity.js';
import { showLife } from '../process/life.js';
import { readJson, writeJsonAtomic } from './atomic-file.js';
import { removeTree } from './remove-tree.js';

/** Without an owner yet, a folder may be a moment old. */
const OWNERLESS_MS = 60 * 60_000;

/** A folder to work in below `parent`, with a sign that this process lives. Its user removes it; disposal ends the sign. */
export async function makeWorkFolder(parent: string): Promise<AsyncDisposable & { path: string }> {
  const work = path.join(parent, randomUUID());
  await mkdir(work, { recursive: true });
  const life = await showLife(work, 'life');
  const owner = { ...(await ownIdentity()), life: life?.mark };
  await writeJsonAtomic(path.join(work, 'owner.json'), owner, 'none');
  return { path: work, [Symbol.asyncDispose]: async () => life?.close() };
}

/** Removes the folders of {@link makeWorkFolder} whose makers are gone. */
export async function sweepWorkFolders(parent: string): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    const folder = path.join(parent, name);
    const owner = (await readJson(path.join(folder, 'owner.json')).catch(() => undefined)) as
      ProcessIdentity | undefined;
    const made = owner ? undefined : await lstat(folder).catch(() => undefined);
    const isAbandoned = owner
      ? (await livenessOf(owner, folder)) === 'dead'
      : made && Date.now() - made.mtimeMs > OWNERLESS_MS;
    if (isAbandoned) await removeTree(folder);
  }
}
