import type { Stats } from 'node:fs';
import { chmod, lstat, open, readdir, rmdir, unlink } from 'node:fs/promises';
import path from 'node:path';
import { errnoCode, isMissing } from './errno.js';
import { whileHeld, type HeldOptions } from './held-files.js';

/** How often a folder is emptied again that does not stay empty. */
const ROUNDS = 5;
/** Longest time that a removal waits for who holds something of it (Windows). */
const MOST_MS = 60_000;

/**
 * Removes a folder with everything in it, sealed or not; absent is fine. Links are removed, never followed. Not
 * `fs.rm`: that one fails in a folder without write permission, as a sealed one may be. On Windows what others hold is
 * tried again, for `limitMs` in all.
 */
export async function removeTree(target: string, options: HeldOptions = {}): Promise<void> {
  await removeWithin(target, boundOf(options));
}

/** What is left of the time of one removal, however many files it has. */
type Bound = () => HeldOptions & { platform: NodeJS.Platform };

function boundOf({ platform = process.platform, limitMs = MOST_MS, ...more }: HeldOptions): Bound {
  const until = performance.now() + limitMs;
  return () => ({ ...more, platform, limitMs: Math.max(0, until - performance.now()) });
}

async function removeWithin(target: string, bound: Bound): Promise<void> {
  let stats: Stats;
  try {
    stats = await lstat(target);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  if (!stats.isDirectory()) {
    await removeFile(target, bound);
    return;
  }
  if ((stats.mode & 0o700) !== 0o700) await ignoreMissing(chmod(target, stats.mode | 0o700));
  if (bound().platform === 'win32') {
    await removeChildren(target, bound);
    await removeFolder(target, bound);
    return;
  }
  // A subprocess that outlived its host may still write here: the next round removes what it adds.
  for (let round = 1; ; round++) {
    await removeChildren(target, bound);
    if ((await removeIfEmpty(target)) || round === ROUNDS) return;
  }
}

/** On Windows a file that was removed stays in its folder until its last user has closed it. */
async function removeFolder(folder: string, bound: Bound): Promise<void> {
  const attempt = () =>
    ignoreMissing(rmdir(folder)).catch(async (error: unknown) => {
      if (errnoCode(error) === 'ENOTEMPTY') await removeChildren(folder, bound);
      throw error;
    });
  await whileHeld(`remove ${folder}`, attempt, { ...bound(), passing: ['ENOTEMPTY'] });
}

async function removeFile(file: string, bound: Bound): Promise<void> {
  const options = bound();
  if (options.platform !== 'win32') await ignoreMissing(unlink(file));
  else await whileHeld(`remove ${file}`, () => ignoreMissing(unlinkSealed(file)), options);
}

/**
 * Windows does not remove a file that is marked read-only. The mark is the file's, not the name's: where other versions
 * share the file, it is put back.
 */
async function unlinkSealed(file: string): Promise<void> {
  const { mode, nlink } = await lstat(file);
  const isSealed = (mode & 0o200) === 0;
  if (!isSealed) {
    await unlink(file);
    return;
  }
  const others = nlink > 1 ? await open(file, 'r') : undefined;
  try {
    await unlink(file).catch(async (error: unknown) => {
      if (isMissing(error)) throw error;
      await chmod(file, 0o600);
      await unlink(file);
    });
  } finally {
    await others?.chmod(mode).catch(() => undefined); // it was the last name after all
    await others?.close();
  }
}

/** Removes a folder if nothing is in it; whether it is gone. */
export async function removeIfEmpty(folder: string): Promise<boolean> {
  try {
    await rmdir(folder);
    return true;
  } catch (error) {
    if (isMissing(error)) return true;
    const code = errnoCode(error);
    // A folder that is not empty is ENOTEMPTY on Linux, EEXIST on some systems, EPERM on Windows.
    if (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'EPERM') return false;
    // A read-only file system gives this code also for a file that does not exist.
    if (code === 'EROFS') return false;
    // A process has it as its working folder, or a scanner looks at it.
    if (process.platform === 'win32' && (code === 'EBUSY' || code === 'EACCES')) return false;
    throw error;
  }
}

async function removeChildren(folder: string, bound: Bound): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(noneIfMissing)) {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) {
      await removeWithin(full, bound);
      continue;
    }
    await removeFile(full, bound);
  }
}

async function ignoreMissing(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

function noneIfMissing(error: unknown): never[] {
  if (isMissing(error)) return [];
  throw error;
}
