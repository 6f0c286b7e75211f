import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
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
 * Wheels from the package index, as pip downloads them for `python3`, each without what it requires; undefined where
 * there is no index, or the Python is too old for them.
 */
export async function indexWheels(requirements: readonly string[]): Promise<BuiltWheel[] | undefined> {
  return orNone(async () => {
    const folders = requirements.map((requirement) => downloaded('python3', ['--no-deps', requirement]));
    return (await Promise.all((await Promise.all(folders)).map(wheelsIn))).flat();
  });
}

/** The same for a Python, with all that is required. */
export async function indexWheelsWithRequired(
  python: string,
  requirements: readonly string[],
): Promise<BuiltWheel[] | undefined> {
  return orNone(async () => wheelsIn(await downloaded(python, requirements)));
}

async function orNone<T>(find: () => Promise<T>): Promise<T | undefined> {
  try {
    return await find();
  } catch {
    return undefined;
  }
}

/** The folder of what was downloaded once on this machine. It has its name when it is whole. */
async function downloaded(python: string, wanted: readonly string[]): Promise<string> {
  const script = 'import sys; print("%d.%d" % sys.version_info[:2])';
  const version = (await promisify(execFile)(python, ['-I', '-c', script])).stdout.trim();
  const user = process.getuid?.() ?? 0;
  const kept = path.join(
    process.env.PROCVISION_TEST_CACHE ?? os.tmpdir(),
    `procvision-test-wheels-${user}`,
    [`python ${version}`, ...wanted].join(' '),
  );
  if (existsSync(kept)) return kept;
  await mkdir(path.dirname(kept), { recursive: true });
  const folder = await mkdtemp(`${kept} `);
  try {
    const pip = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check'];
    const args = [...pip, '--only-binary', ':all:', '-d', folder, ...wanted];
    await promisify(execFile)(python, args, { timeout: 120_000 });
    await rename(folder, kept);
  } catch (error) {
    await rm(folder, { recursive: true });
    if (!existsSync(kept)) throw error; // else another process has been first
  }
  return kept;
}

async function wheelsIn(folder: string): Promise<BuiltWheel[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.whl'));
  return Promise.all(files.map(async (file) => ({ file, bytes: await readFile(path.join(folder, file)) })));
}
