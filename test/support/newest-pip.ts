import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

/** The pip whose choices ours are held against. */
export const NEWEST_PIP = '26.3';

/**
 * A folder with that pip, from the package index, kept in the temp dir of the machine for the next run; or why there is
 * none. It runs on Python 3.10 and later.
 */
export async function newestPip(python = 'python3'): Promise<{ folder: string } | { reason: string }> {
  const cache = process.env.PROCVISION_TEST_CACHE ?? os.tmpdir();
  const folder = path.join(cache, `procvision-test-pip-${NEWEST_PIP}-${process.getuid?.() ?? 0}`);
  const isThere = () => existsSync(path.join(folder, `pip-${NEWEST_PIP}.dist-info`, 'RECORD'));
  if (isThere()) return { folder };
  const work = await mkdtemp(path.join(cache, 'pv-test-pip-'));
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps'];
  try {
    await promisify(execFile)(python, [...pip, '--target', work, `pip==${NEWEST_PIP}`], { timeout: 60_000 });
    // Another process may have been faster.
    await rename(work, folder).catch(() => undefined);
  } catch (error) {
    const [why = ''] = (error as Error).message.split('\n').slice(-1);
    return { reason: `pip ${NEWEST_PIP} cannot be had: ${why}` };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return isThere() ? { folder } : { reason: `pip ${NEWEST_PIP} cannot be had` };
}
