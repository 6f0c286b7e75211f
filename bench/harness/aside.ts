/**
 * What a round or a case has made, put where it is in nobody's way until the whole run is over.
 *
 * ext4 gives no inode of a removed file out again for minutes, and passes over each of them, one by one, whenever a file is
 * made near it. A round that removed thousands of files would have the next one measure that. So files are emptied, which
 * frees the disk, and keep their inodes. Of a file with several names one goes: its inode stays where the others are.
 */
import { chmod, lstat, mkdir, readdir, rename, rm, truncate, unlink } from 'node:fs/promises';
import path from 'node:path';

/** Empties every file below the folder that has no other name. */
async function empty(folder: string): Promise<void> {
  for (const child of await readdir(folder, { withFileTypes: true })) {
    const file = path.join(folder, child.name);
    if (child.isDirectory()) {
      await empty(file);
    } else if (child.isFile()) {
      await emptyFile(file).catch(() => undefined); // what cannot be emptied is removed with the others
    }
  }
}

async function emptyFile(file: string): Promise<void> {
  if ((await lstat(file)).nlink > 1) return unlink(file);
  await chmod(file, 0o600); // what is in a wheel store is read-only
  return truncate(file);
}

let count = 0;

/** Takes folders of a case, where they are there, out of its way, as removing them would. */
export async function setAside(folder: string, ...targets: readonly string[]): Promise<void> {
  const aside = path.join(folder, 'aside');
  await mkdir(aside, { recursive: true });
  for (const target of targets) {
    const moved = path.join(aside, String(++count));
    try {
      await rename(target, moved);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      throw error;
    }
    await empty(moved);
  }
}

const left = new Set<string>();

/** Empties the folder of a case that is over; {@link removeLeft} removes it. */
export async function leaveEmptied(folder: string): Promise<void> {
  left.add(folder);
  await empty(folder).catch(() => undefined); // it may be gone
}

/** Removes the folders of all cases. */
export async function removeLeft(): Promise<void> {
  for (const folder of left) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  left.clear();
}
