import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { BuiltWheel } from '../../src/testing/index.js';

/** The published SDKs, one of each generation, with what they require. */
export const REAL_SDK = {
  phased: ['procvision_algorithm_sdk==0.0.7', 'numpy==2.2.6', 'pillow==10.4.0'],
  'execute-only': ['procvision_algorithm_sdk==0.3.2', 'numpy==2.2.6'],
} as const;

/**
 * Wheels from the package index, as pip downloads them for `python3`; undefined where there is no index, or the Python
 * is too old for them. They are kept in the temp dir of the machine for the next run.
 */
export async function indexWheels(requirements: readonly string[]): Promise<BuiltWheel[] | undefined> {
  const key = createHash('sha256').update(requirements.join()).digest('hex').slice(0, 12);
  const folder = path.join(os.tmpdir(), `procvision-test-wheels-${process.getuid?.() ?? 0}`, key);
  await mkdir(folder, { recursive: true });
  const pip = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps'];
  const wanted = ['--only-binary', ':all:', '--find-links', folder, '-d', folder, ...requirements];
  try {
    await promisify(execFile)('python3', [...pip, ...wanted], { timeout: 45_000 });
  } catch {
    return undefined;
  }
  const files = (await readdir(folder)).filter((file) => file.endsWith('.whl'));
  return Promise.all(files.map(async (file) => ({ file, bytes: await readFile(path.join(folder, file)) })));
}
