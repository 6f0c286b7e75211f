import type { Stats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted, type OperationOptions } from '../../abort.js';
import { isMissing } from '../../store/errno.js';

/** One thing below a folder. */
export interface TreeNode {
  /** Absolute. */
  path: string;
  /** Relative to the folder that is walked, with `/`. */
  relative: string;
  kind: 'file' | 'folder' | 'link';
  stats: Stats;
}

/** Files of one folder that are looked at side by side: one after the other, each would wait for a thread of its own. */
const LOOKED_AT_ONCE = 32;

/** Everything below `root`, folders before what is in them, sorted by name; `enter` may refuse a folder. */
export async function* walkTree(
  root: string,
  options: OperationOptions & { enter?: (relative: string) => boolean } = {},
): AsyncGenerator<TreeNode> {
  const pending = [''];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    throwIfAborted(options.signal);
    const names = (await readdir(path.join(root, folder))).sort();
    for (let from = 0; from < names.length; from += LOOKED_AT_ONCE) {
      const some = names.slice(from, from + LOOKED_AT_ONCE).map(async (name) => {
        const full = path.join(root, folder, name);
        return { name, full, stats: await lstat(full) };
      });
      for (const { name, full, stats } of await Promise.all(some)) {
        const relative = folder === '' ? name : `${folder}/${name}`;
        const kind = stats.isDirectory() ? 'folder' : stats.isSymbolicLink() ? 'link' : 'file';
        if (kind === 'folder') {
          if (options.enter && !options.enter(relative)) continue;
          pending.push(relative);
        }
        yield { path: full, relative, kind, stats };
      }
    }
  }
}

/**
 * Bytes that become free when the tree goes: files with one name only. A file that is linked into several
 * environments stays until its last name is removed. 0 for a tree that does not exist.
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

/** Whether Python keeps the byte code of sources at a path (PEP 3147), or below it. */
export function isBytecode(relative: string): boolean {
  return /(^|\/)__pycache__(\/|$)/.test(relative);
}
