/** Real packages as subjects: pinned wheels from the package index, downloaded once and kept in the cache of the bench. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { sharedNumpyWheel } from '../../test/support/shared-material.js';
import { Unavailable, type BenchContext } from '../harness/case.js';
import { pinsOf } from './pins.js';
import { execute, pythonOf } from './pythons.js';

const DOWNLOAD_LIMIT_MS = 600_000;

/** The version of CPython that the pinned wheels are for. */
export const WHEELS_PYTHON = '3.11';

/** What `pip install` takes, and what a deploy of ours takes. */
export interface WheelSet {
  /** Interpreter that the wheels are for. */
  readonly python: string;
  /** Folder of the wheels. */
  readonly wheels: string;
  /** Their file of requirements, each pinned. */
  readonly requirements: string;
  readonly pins: readonly string[];
}

/**
 * Wheels of these pins (`name==version`) for CPython 3.11.
 *
 * @throws Unavailable where there is no such Python, or no index that has them
 */
export async function pinnedWheels(context: BenchContext, pins: readonly string[]): Promise<WheelSet> {
  const python = await pythonOf(context, WHEELS_PYTHON);
  const key = createHash('sha256').update(pins.join('\n')).digest('hex').slice(0, 16);
  const folder = path.join(context.cache, `wheels-${WHEELS_PYTHON}-${key}`);
  const set = {
    ...{ python, pins, wheels: path.join(folder, 'wheels') },
    requirements: path.join(folder, 'requirements.txt'),
  };
  if (!existsSync(folder)) await download(set, folder);
  return set;
}

async function download({ python, pins }: WheelSet, folder: string): Promise<void> {
  const partial = await mkdtemp(`${folder}.`);
  try {
    const requirements = path.join(partial, 'requirements.txt');
    await writeFile(requirements, `${pins.join('\n')}\n`);
    const wheels = path.join(partial, 'wheels');
    await mkdir(wheels);
    const pip = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary', ':all:', '--retries', '1'];
    await execute(python, [...pip, '--dest', wheels, '--requirement', requirements], {
      timeout: DOWNLOAD_LIMIT_MS,
    });
    await rename(partial, folder);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    if (existsSync(folder)) return; // another run was faster
    const { stderr = '' } = error as { stderr?: string };
    const said = stderr.split('\n').findLast((line) => line.includes('ERROR')) ?? String(error);
    throw new Unavailable(`pip cannot download ${pins.join(', ')}: ${said.trim()}`);
  }
}

/** NumPy alone: from the index, else a wheel that lies beside the checkout. */
export async function numpyWheels(context: BenchContext): Promise<WheelSet> {
  const pins = (await pinsOf('vision')).filter((pin) => pin.startsWith('numpy=='));
  try {
    return await pinnedWheels(context, pins);
  } catch (error) {
    const wheel = sharedNumpyWheel();
    if (!(error instanceof Unavailable) || wheel === undefined) throw error;
    const requirements = path.join(context.folder, 'numpy.txt');
    await writeFile(requirements, 'numpy\n');
    const python = await pythonOf(context, WHEELS_PYTHON);
    return { python, wheels: path.dirname(wheel), requirements, pins: ['numpy'] };
  }
}

/** The wheels as a package of the test kit takes them. */
export async function wheelFiles({ wheels }: WheelSet): Promise<{ file: string; bytes: Buffer }[]> {
  const names = (await readdir(wheels)).filter((name) => name.endsWith('.whl'));
  return Promise.all(names.map(async (file) => ({ file, bytes: await readFile(path.join(wheels, file)) })));
}
