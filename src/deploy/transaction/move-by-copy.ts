import { cp, lstat, rm } from 'node:fs/promises';
import path from 'node:path';
import { VERSION_MARKER } from '../../registry/registry-file.js';
import { openToSync, renameOver, syncFile, syncFolder, type Durability } from '../../store/atomic-file.js';
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

/** Waits until a copy is on the disk; what is sealed of it is so afterwards. Windows has no folders to sync. */
export async function syncAll(root: string, platform: NodeJS.Platform = process.platform): Promise<void> {
  const isWindows = platform === 'win32';
  const sync = async (file: string) => {
    const { mode } = await lstat(file);
    const { handle, wasMarked } = await openToSync(file, mode, platform);
    try {
      await syncFile(handle);
      if (wasMarked) await handle.chmod(mode);
    } finally {
      await handle.close();
    }
  };
  const isFolder = (await lstat(root)).isDirectory();
  if (!isFolder || !isWindows) await sync(root);
  if (!isFolder) return;
  for await (const { path: file, kind } of walkTree(root)) {
    if (kind === 'file' || (kind === 'folder' && !isWindows)) await sync(file);
  }
}
