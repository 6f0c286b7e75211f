import { cp, lstat, open, rm } from 'node:fs/promises';
import path from 'node:path';
import { VERSION_MARKER } from '../../registry/registry-file.js';
import { renameOver, syncFile, syncFolder, type Durability } from '../../store/atomic-file.js';
import { removeTree } from '../../store/remove-tree.js';
import { walkTree } from '../seal/tree.js';

const PART = /^\..+\.part$/;

/** Whether something of this name is a copy on its way. */
export function isPart(name: string): boolean {
  return PART.test(name);
}

/** Where a copy is made before it takes its name: beside that, so on its file system. */
export function partOf(to: string): string {
  return path.join(path.dirname(to), `.${path.basename(to)}.part`);
}

/**
 * Moves a file, or the folder of a version, that cannot be renamed: to another file system, or, on overlayfs, a folder of a lower
 * layer (EXDEV). The copy takes its name when it is complete, and the marker of a version is the first to go of what is left, so
 * that whatever cuts this off leaves one of the two complete. The part goes with {@link partOf}.
 */
export async function moveByCopy(from: string, to: string, durability: Durability): Promise<void> {
  const part = partOf(to);
  await removeTree(part);
  await cp(from, part, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  if (durability === 'full') await syncAll(part);
  await removeTree(to);
  await renameOver(part, to);
  await syncFolder(path.dirname(to), durability);
  if ((await lstat(from)).isDirectory()) await rm(path.join(from, VERSION_MARKER), { force: true });
  await removeTree(from);
}

/** Waits until a copy is on the disk. Windows syncs only what is open for writing, which sealed files are not. */
async function syncAll(root: string): Promise<void> {
  if (process.platform === 'win32') return;
  const sync = async (file: string) => {
    const handle = await open(file, 'r');
    try {
      await syncFile(handle);
    } finally {
      await handle.close();
    }
  };
  await sync(root);
  if (!(await lstat(root)).isDirectory()) return;
  for await (const { path: file, kind } of walkTree(root)) if (kind !== 'link') await sync(file);
}
