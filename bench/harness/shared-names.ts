import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';

const SHARED = '/dev/shm';

/**
 * Start of the names in shared memory that belong to the temp folder of a case, and go with it: files, not a folder, since
 * shm_open(3) takes no other. Undefined where there is no such memory.
 */
export function sharedPrefixOf(folder: string): string | undefined {
  return existsSync(SHARED) ? path.join(SHARED, `${path.basename(folder)}-`) : undefined;
}

/** Removes every file in shared memory that belongs to the temp folder of a case. */
export async function removeShared(folder: string): Promise<void> {
  const prefix = sharedPrefixOf(folder);
  if (prefix === undefined) return;
  const names = (await readdir(SHARED)).filter((name) => name.startsWith(path.basename(prefix)));
  for (const name of names) await rm(path.join(SHARED, name), { force: true });
}
