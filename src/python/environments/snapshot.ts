import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { removeTree } from '../../store/remove-tree.js';
import type { Venv } from '../types.js';

/**
 * Remembers what an environment holds, so that a failed installation can be taken back: what is new in its own folder,
 * among its scripts and in site-packages goes. Content of files that were there before is not remembered.
 */
export async function snapshot(venv: Venv): Promise<{ restore: () => Promise<void> }> {
  const folders = foldersOf(venv);
  const before = new Map(
    await Promise.all(folders.map(async (folder) => [folder, await names(folder)] as const)),
  );
  return {
    restore: async () => {
      for (const [folder, known] of before) {
        for (const name of await names(folder)) {
          if (!known.has(name)) await removeTree(path.join(folder, name));
        }
      }
    },
  };
}

/** The environment's folder and those on the way to site-packages, the innermost first, and that of the scripts. */
function foldersOf(venv: Venv): string[] {
  const folders = [path.dirname(venv.python), path.join(venv.dir, 'include')];
  for (let folder = venv.sitePackages; folder !== venv.dir; folder = path.dirname(folder))
    folders.push(folder);
  return [...folders, venv.dir];
}

async function names(folder: string): Promise<Set<string>> {
  return new Set(await readdir(folder).catch(() => []));
}
