import { randomUUID } from 'node:crypto';
import { access, constants, mkdir, readdir, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { livenessOf, ownIdentity, type ProcessIdentity } from '../process/identity.js';
import { readJson, writeJsonAtomic } from '../store/atomic-file.js';

const PREFIX = 'procvision-frames-';
const OWNER_FILE = 'owner.json';
/** A folder without an owner file this old was left by a host that died while it made it. */
const UNOWNED_GRACE_MS = 60_000;

/** Where frames go unless told otherwise: memory, where the system has a folder for it. */
export async function defaultFrameRoot(platform: NodeJS.Platform = process.platform): Promise<string> {
  if (platform === 'linux') {
    try {
      await access('/dev/shm', constants.W_OK);
      return '/dev/shm';
    } catch {
      // a container without it: the temp dir does
    }
  }
  return os.tmpdir();
}

/** Makes a folder of this process's own beneath `root`, readable by nobody else, after sweeping those of dead hosts. */
export async function makeFrameFolder(root: string): Promise<string> {
  await mkdir(root, { recursive: true });
  await sweepFrameFolders(root);
  const folder = path.join(root, `${PREFIX}${process.pid}-${randomUUID().slice(0, 8)}`);
  await mkdir(folder, { mode: 0o700 });
  await writeJsonAtomic(path.join(folder, OWNER_FILE), await ownIdentity(), 'none');
  return folder;
}

/** Removes the frame folders whose owner is proven dead; gives their paths. */
export async function sweepFrameFolders(root: string): Promise<string[]> {
  const swept: string[] = [];
  for (const name of await readdir(root).catch(() => [])) {
    if (!name.startsWith(PREFIX)) continue;
    const folder = path.join(root, name);
    if (!(await isAbandoned(folder))) continue;
    await rm(folder, { recursive: true, force: true }).catch(() => undefined); // another user's: not ours to sweep
    swept.push(folder);
  }
  return swept;
}

async function isAbandoned(folder: string): Promise<boolean> {
  const owner = (await readJson(path.join(folder, OWNER_FILE)).catch(() => null)) as
    ProcessIdentity | null | undefined;
  if (owner) return (await livenessOf(owner)) === 'dead';
  const found = await stat(folder).catch(() => undefined);
  return owner === undefined && found !== undefined && Date.now() - found.mtimeMs > UNOWNED_GRACE_MS;
}
