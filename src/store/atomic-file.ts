import { fsync } from 'node:fs';
import { chmod, lstat, mkdir, open, readFile, rename, rm, utimes, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { nodeCrypto } from '../node-crypto.js';
import { errnoCode, isMissing } from './errno.js';
import { whileHeld, type HeldOptions } from './held-files.js';
import { makeFolders, plainPath } from './plain-path.js';

/** Whether a change survives a power cut: `full` waits for the disk, `none` leaves it to the system (tests). */
export type Durability = 'full' | 'none';

/** What else to say of a file that is written. */
export interface WriteOptions {
  /** Its modification time. @defaultValue the time of the file system */
  modifiedAt?: Date;
}

/**
 * Replaces a file in one step: readers see the old content or the new, whatever happens. Temp write, fsync, rename,
 * fsync of the folder.
 */
export async function writeFileAtomic(
  file: string,
  content: string | Uint8Array,
  durability: Durability = 'full',
  { modifiedAt }: WriteOptions = {},
): Promise<void> {
  const folder = path.dirname(file);
  const temporary = path.join(folder, `.${path.basename(file)}.${nodeCrypto().randomUUID()}.tmp`);
  try {
    const write = () => writeWhole(temporary, content, durability, modifiedAt);
    await write().catch(async (error: unknown) => {
      if (!isMissing(error)) throw error;
      await makeFolder(folder, durability); // seldom: so it is not looked for each time
      await write();
    });
    await renameOver(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(folder, durability);
}

/** Whether a file of this name is an unfinished file of {@link writeFileAtomic}. */
export function isTemporaryName(name: string): boolean {
  return /^\..+\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/.test(name);
}

/** {@link writeFileAtomic} of pretty-printed JSON. */
export async function writeJsonAtomic(
  file: string,
  value: unknown,
  durability?: Durability,
  options?: WriteOptions,
): Promise<void> {
  await writeFileAtomic(file, `${JSON.stringify(value, null, 2)}\n`, durability, options);
}

/** Parsed content of a JSON file; undefined when there is no such file. Throws on anything else that goes wrong. */
export async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as unknown;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Makes a folder with those above it that are missing. With full durability each that is new is in its own folder on
 * the disk too: a file that was synced inside is of no use in a folder that was not.
 *
 * @param mode - what each that is new gets, whatever the umask; without it, what the umask leaves
 */
export async function makeFolder(
  folder: string,
  durability: Durability = 'full',
  mode?: number,
): Promise<void> {
  const first = await makeFolders(folder).catch(async (error: unknown) => {
    throw isMissing(error) ? await whyMissing(folder, error) : error;
  });
  if (first === undefined) return;
  for (let made = folder; plainPath(made).length >= first.length; made = path.dirname(made)) {
    if (mode !== undefined) await chmod(made, mode);
    await syncFolder(path.dirname(made), durability);
  }
}

/**
 * Node says ENOENT, whatever the reason, when a folder cannot be made with those above it on a read-only file system:
 * made alone, the first of them that is missing tells. Where it can be made, the folder above it had just vanished.
 */
async function whyMissing(folder: string, error: unknown): Promise<unknown> {
  try {
    await mkdir(folder);
    return error;
  } catch (reason) {
    const above = path.dirname(folder);
    if (isMissing(reason) && above !== folder) return whyMissing(above, error);
    return errnoCode(reason) === 'EEXIST' ? error : reason;
  }
}

/** Writes the entries of a folder to the disk. Windows has no such thing and needs none. */
export async function syncFolder(folder: string, durability: Durability = 'full'): Promise<void> {
  if (durability === 'none' || process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await syncFile(handle);
  } finally {
    await handle.close();
  }
}

/**
 * Writes what the system still has of a file to the disk: fsync(2). Under Yarn's Plug'n'Play files have handles of Yarn's own,
 * whose `sync()` only throws "Method not implemented.": the descriptor is synced then.
 */
export async function syncFile(handle: FileHandle): Promise<void> {
  try {
    await handle.sync();
  } catch (error) {
    if (errnoCode(error) !== undefined) throw error; // what the system says
    await new Promise<void>((resolve, reject) => {
      fsync(handle.fd, (failure) => {
        if (failure) reject(failure);
        else resolve();
      });
    });
  }
}

/**
 * Opens a file for {@link syncFile}. Windows syncs only what is open for writing, and opens nothing for writing that is marked
 * read-only: `wasMarked` says that the mark was removed, which is the caller's to put back.
 */
export async function openToSync(
  file: string,
  mode: number,
  platform: NodeJS.Platform = process.platform,
): Promise<{ handle: FileHandle; wasMarked: boolean }> {
  if (platform !== 'win32') return { handle: await open(file, 'r'), wasMarked: false };
  const wasMarked = (mode & 0o200) === 0;
  if (wasMarked) await chmod(file, 0o600);
  return { handle: await open(file, 'r+'), wasMarked };
}

/**
 * Renames over an existing file. On Windows tried again while others have one of the two open; a target that is marked
 * read-only is unmarked. A folder as the target is no passing fault: such a rename never works there.
 */
export async function renameOver(from: string, to: string, options: HeldOptions = {}): Promise<void> {
  const attempt = () => rename(from, to);
  let isLooked = options.platform === undefined && process.platform !== 'win32';
  const look = async (error: unknown) => {
    if (isLooked || !errnoCode(error)) throw error;
    isLooked = true;
    const there = await lstat(to).catch(() => undefined);
    if (there?.isDirectory()) throw new RenameRefused(error);
    if (there && (there.mode & 0o200) === 0) await chmod(to, 0o600);
    throw error;
  };
  await whileHeld(`rename ${from} to ${to}`, () => attempt().catch(look), options).catch((error: unknown) => {
    throw error instanceof RenameRefused ? error.cause : error;
  });
}

/** Ends the attempts: it has no code that passes. */
class RenameRefused extends Error {
  constructor(cause: unknown) {
    super('the target is a folder', { cause });
  }
}

async function writeWhole(
  file: string,
  content: string | Uint8Array,
  durability: Durability,
  modifiedAt: Date | undefined,
): Promise<void> {
  const handle = await open(file, 'wx');
  try {
    await handle.writeFile(content);
    if (modifiedAt) await utimes(file, modifiedAt, modifiedAt);
    if (durability === 'full') await syncFile(handle);
  } finally {
    await handle.close();
  }
}
