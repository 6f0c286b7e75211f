import { onTestFinished, vi } from 'vitest';
import { temporaryFolder } from './temp-folder.js';

/**
 * Gives a test a temp dir that is its own until it ends: what appears in the system's may be of a test beside it.
 *
 * @returns the folder that `os.tmpdir()` then names
 */
export async function ownTempDir(): Promise<string> {
  const folder = await temporaryFolder();
  for (const name of ['TMPDIR', 'TEMP']) vi.stubEnv(name, folder); // POSIX, Windows
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  return folder;
}
