import type { Stats } from 'node:fs';
import { chmod, lstat, readdir, rmdir, unlink } from 'node:fs/promises';
import path from 'node:path';
import { errnoCode, isMissing } from './errno.js';

/** How often a folder is emptied again that does not stay empty. */
const ROUNDS = 5;

/**
 * Removes a folder with everything in it, sealed or not; absent is fine. Links are removed, never followed. Not
 * `fs.rm`: that one fails in a folder without write permission, as a sealed one may be.
 */
export async function removeTree(target: string): Promise<void> {
  let stats: Stats;
  try {
    stats = await lstat(target);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  if (!stats.isDirectory()) {
    await ignoreMissing(unlink(target));
    return;
  }
  if ((stats.mode & 0o700) !== 0o700) await ignoreMissing(chmod(target, stats.mode | 0o700));
  // A subprocess that outlived its host may still write here: the next round removes what it adds.
  for (let round = 1; ; round++) {
    await removeChildren(target);
    if ((await removeIfEmpty(target)) || round === ROUNDS) return;
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
    throw error;
  }
}

async function removeChildren(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(noneIfMissing)) {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) {
      await removeTree(full);
      continue;
    }
    // Windows does not remove a file that is marked read-only.
    if (process.platform === 'win32') await ignoreMissing(chmod(full, 0o600));
    await ignoreMissing(unlink(full));
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
