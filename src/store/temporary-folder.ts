import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { removeTree } from './remove-tree.js';

/** Works in a folder of the system's temp dir, which is gone afterwards whatever was put there. */
export async function inTemporaryFolder<T>(prefix: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(os.tmpdir(), prefix));
  try {
    return await work(folder);
  } finally {
    // An algorithm that ran there may have locked folders, which their owner can open again.
    await rm(folder, { recursive: true, force: true, maxRetries: 3 }).catch(() => removeTree(folder));
  }
}
