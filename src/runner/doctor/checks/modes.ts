import type { Stats } from 'node:fs';
import { chmod, lstat } from 'node:fs/promises';

const OTHERS_MAY_WRITE = 0o002;
const NOT_THE_OWNER_MAY_WRITE = 0o022;

/** Whether files have modes that say who may write to them: Windows has none of this kind. */
export const HAS_MODES = process.platform !== 'win32';

/** Whether every user may write to a file or folder. Links and sockets have no mode that counts. */
export function isOpenToOthers(stats: Stats): boolean {
  return !stats.isSymbolicLink() && !stats.isSocket() && (stats.mode & OTHERS_MAY_WRITE) !== 0;
}

/** Which of these files and folders every user may write to. */
export async function writableByOthers(files: readonly string[]): Promise<string[]> {
  const open: string[] = [];
  if (!HAS_MODES) return open;
  for (const file of files) {
    const stats = await lstat(file).catch(() => undefined);
    if (stats && isOpenToOthers(stats)) open.push(file);
  }
  return open;
}

/** Takes the right to write from all but the owner. */
export async function closeToOthers(files: readonly string[]): Promise<void> {
  for (const file of files) {
    const { mode } = await lstat(file);
    await chmod(file, mode & 0o7777 & ~NOT_THE_OWNER_MAY_WRITE);
  }
}
