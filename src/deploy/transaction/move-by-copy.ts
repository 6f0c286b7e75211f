import { copyFile, cp, rm } from 'node:fs/promises';
import path from 'node:path';
import { VERSION_MARKER } from '../../registry/registry-file.js';
import { errnoCode } from '../../store/errno.js';
import { removeTree } from '../../store/remove-tree.js';

/**
 * Moves the folder of a version that cannot be renamed: on overlayfs, a folder of a lower layer (EXDEV). The marker of a
 * complete version is copied last and removed first, so that whatever cuts this off leaves one of the two complete.
 */
export async function moveByCopy(from: string, to: string): Promise<void> {
  const marker = path.join(from, VERSION_MARKER);
  await removeTree(to);
  await cp(from, to, {
    ...{ recursive: true, preserveTimestamps: true, verbatimSymlinks: true },
    filter: (source) => source !== marker,
  });
  try {
    await copyFile(marker, path.join(to, VERSION_MARKER));
  } catch (error) {
    if (errnoCode(error) !== 'ENOENT') throw error; // a version that is damaged
  }
  await rm(marker, { force: true });
  await removeTree(from);
}
