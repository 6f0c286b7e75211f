import type { Stats } from 'node:fs';
import { chmod, lstat, readdir, rmdir, unlink } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted, type OperationOptions } from '../abort.js';

/** How often a folder is emptied again that does not stay empty. */
const ROUNDS = 5;

/** One thing below a folder. */
export interface TreeNode {
  /** Absolute. */
  path: string;
  /** Relative to the folder that is walked, with `/`. */
  relative: string;
  kind: 'file' | 'folder' | 'link';
  stats: Stats;
}

/** Everything below `root`, folders before what is in them, sorted by name; `enter` may refuse a folder. */
export async function* walkTree(
  root: string,
  options: OperationOptions & { enter?: (relative: string) => boolean } = {},
): AsyncGenerator<TreeNode> {
  const pending = [''];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    throwIfAborted(options.signal);
    const names = (await readdir(path.join(root, folder))).sort();
    for (const name of names) {
      const relative = folder === '' ? name : `${folder}/${name}`;
      const full = path.join(root, relative);
      const stats = await lstat(full);
      const kind = stats.isDirectory() ? 'folder' : stats.isSymbolicLink() ? 'link' : 'file';
      if (kind === 'folder') {
        if (options.enter && !options.enter(relative)) continue;
        pending.push(relative);
      }
      yield { path: full, relative, kind, stats };
    }
  }
}

/**
 * Bytes that become free when the tree goes: files with one name only, since one that is linked into several
 * environments stays until its last name goes. A tree that is absent has none.
 */
export async function treeBytes(root: string): Promise<number> {
  let bytes = 0;
  try {
    for await (const { kind, stats } of walkTree(root)) {
      if (kind === 'file' && stats.nlink <= 1) bytes += stats.size;
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  return bytes;
}

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
  // A subprocess that outlived its host may still be writing here: what it adds meanwhile goes in another round.
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
    throw error;
  }
}

/** The `code` of a system error. */
export function errnoCode(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

/** Whether an error says that something is not there. */
export function isMissing(error: unknown): boolean {
  const code = errnoCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** Whether something is at this path, a dangling link included. */
export async function exists(target: string): Promise<boolean> {
  try {
    await lstat(target);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/**
 * Whether a path is bytecode that Python writes by itself, at any time. It does so in `__pycache__` only (PEP 3147): a
 * `.pyc` elsewhere came with the package, in place of a source.
 */
export function isBytecode(relative: string): boolean {
  return /(^|\/)__pycache__(\/|$)/.test(relative);
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
