import { randomUUID } from 'node:crypto';
import { access, chmod, chown, constants, lstat, mkdir, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { livenessOf, ownIdentity, type ProcessIdentity } from '../process/identity.js';
import { showLife, type Life, type LifeMark } from '../process/life.js';
import { plainPath } from '../store/plain-path.js';
import { removeTree } from '../store/remove-tree.js';
import { readJson, writeJsonAtomic } from '../store/atomic-file.js';

const PREFIX = 'procvision-frames-';
const OWNER_FILE = 'owner.json';
const LIFE = 'life';
/** A folder without an owner file this old was left by a host that died while it made it. */
const UNOWNED_GRACE_MS = 60_000;

/**
 * Mode of a frame's file. Its folder says who may come near it; who may must be able to read it, whatever the host's
 * umask: to the SDK a file that it may not read is a black image.
 */
export const FRAME_MODE = 0o640;

/**
 * Default folder of frames: in memory, where the system has such a folder and this process may write to it; else in the store
 * that the frames are for, which has room and is not cleaned by others; without one, the temp dir.
 */
export async function defaultFrameRoot({
  platform = process.platform,
  sharedMemory = '/dev/shm',
  inStore,
}: { platform?: NodeJS.Platform; sharedMemory?: string; inStore?: string } = {}): Promise<string> {
  if (platform === 'linux') {
    try {
      await access(sharedMemory, constants.W_OK | constants.X_OK);
      return sharedMemory;
    } catch {
      // a container without it
    }
  }
  if (inStore === undefined) return os.tmpdir();
  await mkdir(inStore, { recursive: true });
  // Whatever the host's umask: workers of another user come through it to the folder of their pool.
  if (platform !== 'win32') await chmod(inStore, 0o755).catch(() => undefined);
  return inStore;
}

/** The folder of a pool, and those below it of the workers that read its frames. */
export class FrameFolder {
  readonly path: string;
  readonly #gid: number | undefined;

  constructor(folder: string, gid: number | undefined) {
    this.path = folder;
    this.#gid = gid;
  }

  /** Makes the folder, also after another process has removed it. */
  async ensure(place: string): Promise<void> {
    for (const folder of [this.path, place]) {
      const found = await lstat(folder).catch(() => undefined);
      if (found?.isDirectory() && isPrivate(found.mode, this.#gid)) continue;
      if (found && !found.isDirectory()) await rm(folder, { force: true });
      await makePrivate(folder, this.#gid);
      if (folder === this.path) await sign(folder);
    }
  }
}

function isPrivate(mode: number, gid: number | undefined): boolean {
  return process.platform === 'win32' || (mode & 0o777) === (gid === undefined ? 0o700 : 0o750);
}

/** Nobody else may look into it, but for the group, which then owns what is made in it. */
async function makePrivate(folder: string, gid: number | undefined): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (gid === undefined) {
    await chmod(folder, 0o700);
    return;
  }
  await chown(folder, process.getuid?.() ?? -1, gid);
  await chmod(folder, 0o2750); // after chown(), which takes the group's bit away
}

async function sign(folder: string, mark?: LifeMark): Promise<void> {
  const owner = { ...(await ownIdentity()), life: mark };
  await writeJsonAtomic(path.join(folder, OWNER_FILE), owner, 'none');
}

/** A folder for frames, and the sign that its host lives. */
export interface MadeFolder {
  path: string;
  life: Life | undefined;
}

/**
 * Makes a folder of this process's own beneath `root`, after sweeping those of dead hosts. Nobody else may look into it,
 * but for the group `gid`, which then owns what is made in it.
 */
export async function makeFrameFolder(directory: string, gid?: number): Promise<MadeFolder> {
  const root = plainPath(directory);
  await mkdir(root, { recursive: true });
  await sweepFrameFolders(root);
  const folder = path.join(root, `${PREFIX}${process.pid}-${randomUUID().slice(0, 8)}`);
  await mkdir(folder, { mode: 0o700 });
  await makePrivate(folder, gid);
  const life = await showLife(folder, LIFE);
  await sign(folder, life?.mark);
  return { path: folder, life };
}

/**
 * Removes the frame folders whose owner is proven dead; gives their paths. The sign of life proves it also of a host in
 * another container, or in a thread that was ended.
 */
export async function sweepFrameFolders(root: string): Promise<string[]> {
  const abandoned = await abandonedFrameFolders(root);
  for (const folder of abandoned) await removeTree(folder, { limitMs: 0 }).catch(() => undefined); // in use, or another user's: not ours to sweep
  return abandoned;
}

/** The frame folders whose owner is proven dead. */
export async function abandonedFrameFolders(root: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(root).catch(() => [])) {
    const folder = path.join(root, name);
    if (name.startsWith(PREFIX) && (await isAbandoned(folder))) found.push(folder);
  }
  return found;
}

async function isAbandoned(folder: string): Promise<boolean> {
  const found = await lstat(folder).catch(() => undefined);
  if (!found?.isDirectory() || !isOurs(found.uid)) return false;
  const file = path.join(folder, OWNER_FILE);
  const marker = await lstat(file).catch(() => undefined);
  if (!marker) return Date.now() - found.mtimeMs > UNOWNED_GRACE_MS;
  if (!marker.isFile()) return false;
  const owner = (await readJson(file).catch(() => null)) as ProcessIdentity | null | undefined;
  return owner ? (await livenessOf(owner, folder)) === 'dead' : false;
}

/**
 * Any user may put a folder beside ours, with a pipe in it whose read never ends. Only root looks into folders of other
 * users.
 */
function isOurs(uid: number): boolean {
  const own = process.getuid?.();
  return own === undefined || own === 0 || own === uid;
}
