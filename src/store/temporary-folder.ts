import { mkdtemp } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { RunnerError } from '../errors.js';
import { removeTree } from './remove-tree.js';
import { asInstallError } from './store-error.js';

/**
 * Works in a new folder, which is gone afterwards whatever was put there: of the system's folder for such, or of `parent`.
 *
 * @throws RunnerError `start_failed`, or for a `parent` what {@link asInstallError} gives
 */
export async function inTemporaryFolder<T>(
  prefix: string,
  work: (folder: string) => Promise<T>,
  parent?: string,
): Promise<T> {
  const place = parent ?? os.tmpdir();
  const folder = await mkdtemp(path.join(place, prefix)).catch((cause: unknown) => {
    if (parent !== undefined) throw asInstallError(cause, `make a temporary folder in ${parent}`);
    throw new RunnerError(
      'start_failed',
      `No temporary folder can be made in ${place}: ${(cause as Error).message}. Have this folder made, writable and not ` +
        'full, or name another one in TMPDIR',
      { cause, details: { path: place } },
    );
  });
  try {
    return await work(folder);
  } finally {
    // Not `fs.rm`: an algorithm that ran there may have locked folders, and on Windows that takes the mark of a read-only file
    // from its other names too, which it may have in the store.
    await removeTree(folder);
  }
}
