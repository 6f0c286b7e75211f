import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { RunnerError } from '../errors.js';
import { removeTree } from './remove-tree.js';

/** Works in a new folder of `parent`, which is gone afterwards whatever was put there. */
export async function inTemporaryFolder<T>(
  prefix: string,
  work: (folder: string) => Promise<T>,
  parent = os.tmpdir(),
): Promise<T> {
  const folder = await mkdtemp(path.join(parent, prefix)).catch((cause: unknown) => {
    throw new RunnerError(
      'start_failed',
      `No temporary folder can be made in ${parent}: ${(cause as Error).message}. Have this folder made, writable and not ` +
        'full, or name another one in TMPDIR',
      { cause, details: { path: parent } },
    );
  });
  try {
    return await work(folder);
  } finally {
    // An algorithm that ran there may have locked folders, which their owner can open again.
    await rm(folder, { recursive: true, force: true, maxRetries: 3 }).catch(() => removeTree(folder));
  }
}
