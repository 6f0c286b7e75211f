import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

/**
 * An empty folder that goes when it is disposed of. Its path has a space, a `#`, a `%` and a non-ASCII letter in it: what
 * breaks on such a path breaks in a test.
 *
 * @example
 * ```ts
 * await using folder = await temporaryFolder();
 * await writeFile(path.join(folder.path, 'package.zip'), await buildPackage());
 * ```
 */
export async function temporaryFolder(): Promise<TemporaryFolder> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'pv é#%20 '));
  return {
    path: folder,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true, maxRetries: 3 }),
  };
}

/** A folder that is there until it is disposed of. */
export interface TemporaryFolder extends AsyncDisposable {
  /** Absolute path. */
  readonly path: string;
}
