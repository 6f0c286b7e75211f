import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Generation } from '../../src/package/types.js';
import type { BuiltWheel } from '../../src/testing/index.js';

const REQUIRED = { phased: ['numpy==2.2.6', 'pillow==10.4.0'], 'execute-only': ['numpy==2.2.6'] } as const;

/** The published SDKs by their version. */
export const PUBLISHED_SDKS: Record<string, Generation> = {
  ...{ '0.0.6': 'phased', '0.0.7': 'phased' },
  ...{ '0.3.0': 'execute-only', '0.3.1': 'execute-only', '0.3.2': 'execute-only' },
};

/** A published SDK with what it requires, from the package index; undefined as with {@link indexWheels}. */
export function publishedSdk(version: string): Promise<BuiltWheel[] | undefined> {
  const generation = PUBLISHED_SDKS[version] ?? 'phased';
  return indexWheels([`procvision_algorithm_sdk==${version}`, ...REQUIRED[generation]]);
}

/**
 * Wheels from the package index, as pip downloads them for `python3`; undefined where there is no index, or the Python
 * is too old for them. They are kept in the temp dir of the machine for the next run.
 */
export async function indexWheels(requirements: readonly string[]): Promise<BuiltWheel[] | undefined> {
  try {
    return (await Promise.all(requirements.map(wheelsFor))).flat();
  } catch {
    return undefined;
  }
}

async function wheelsFor(requirement: string): Promise<BuiltWheel[]> {
  const user = process.getuid?.() ?? 0;
  const folder = path.join(
    process.env.PROCVISION_TEST_CACHE ?? os.tmpdir(),
    `procvision-test-wheels-${user}`,
    requirement,
  );
  await mkdir(folder, { recursive: true });
  const pip = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps'];
  const wanted = ['--only-binary', ':all:', '--find-links', folder, '-d', folder, requirement];
  await promisify(execFile)('python3', [...pip, ...wanted], { timeout: 45_000 });
  const files = (await readdir(folder)).filter((file) => file.endsWith('.whl'));
  return Promise.all(files.map(async (file) => ({ file, bytes: await readFile(path.join(folder, file)) })));
}
