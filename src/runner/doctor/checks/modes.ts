import { chmod, lstat } from 'node:fs/promises';

const OTHERS_MAY_WRITE = 0o002;
const NOT_THE_OWNER_MAY_WRITE = 0o022;

/** Which of these files and folders every user may write to. Links have no mode; Windows has none of this kind. */
export async function writableByOthers(files: readonly string[]): Promise<string[]> {
  if (process.platform === 'win32') return [];
  const open: string[] = [];
  for (const file of files) {
    const stats = await lstat(file).catch(() => undefined);
    if (stats && !stats.isSymbolicLink() && !stats.isSocket() && (stats.mode & OTHERS_MAY_WRITE) !== 0)
      open.push(file);
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
