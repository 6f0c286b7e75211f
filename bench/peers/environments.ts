/** Peers as they are installed: pinned packages of npm and PyPI, each in a folder of the cache, installed once. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { Unavailable, type BenchContext } from '../harness/case.js';
import { bareEnvironment } from '../support/pythons.js';
import { pinsOf } from '../support/pins.js';
import { numpyWheels, pinnedWheels, type WheelSet } from '../support/wheels.js';

const execute = promisify(execFile);
const LIMIT_MS = 600_000;

/** Makes a folder of the cache, or finds it there. A half made one is never found. */
async function once(folder: string, make: (partial: string) => Promise<unknown>): Promise<string> {
  if (existsSync(folder)) return folder;
  const partial = await mkdtemp(`${folder}.`);
  try {
    await make(partial);
    await rename(partial, folder);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

/** Folder of an npm package, installed without its scripts. */
export async function npmPackage({ cache }: BenchContext, name: string, version: string): Promise<string> {
  const folder = await once(path.join(cache, `npm-${name}-${version}`), async (partial) => {
    await writeFile(path.join(partial, 'package.json'), '{"private":true}');
    const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', `${name}@${version}`];
    await execute('npm', args, {
      cwd: partial,
      timeout: LIMIT_MS,
      shell: process.platform === 'win32',
    }).catch((error: unknown) => {
      const { stderr = '' } = error as { stderr?: string };
      const said = stderr.split('\n').find((line) => line.includes('npm error')) ?? String(error);
      throw new Unavailable(`npm cannot install ${name}@${version}: ${said.trim()}`);
    });
  });
  return path.join(folder, 'node_modules', name);
}

/** Python of an environment with these wheels in it, and nothing else. */
async function environmentOf({ cache }: BenchContext, name: string, set: WheelSet): Promise<string> {
  const pins = createHash('sha256').update(set.pins.join('\n')).digest('hex').slice(0, 16);
  const folder = await once(path.join(cache, `venv-${name}-${pins}`), async (partial) => {
    await execute(set.python, ['-m', 'venv', '--without-pip', partial], { env: bareEnvironment() });
    await mkdir(path.join(partial, 'lib'), { recursive: true });
    const { stdout } = await execute(pythonIn(partial), [
      '-c',
      'import sysconfig; print(sysconfig.get_path("purelib"))',
    ]);
    const from = ['--no-index', '--no-deps', '--find-links', set.wheels, '--requirement', set.requirements];
    const pip = ['-m', 'pip', 'install', '--quiet', '--target', stdout.trim(), ...from];
    await execute(set.python, pip, { env: bareEnvironment(), timeout: LIMIT_MS });
  });
  return pythonIn(folder);
}

function pythonIn(folder: string): string {
  return path.join(folder, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
}

/** Python with the packages of `bench/support/sets/<name>.txt`. */
export async function pythonWith(context: BenchContext, name: string): Promise<string> {
  return environmentOf(context, name, await pinnedWheels(context, await pinsOf(name)));
}

/** Path of uv's program. */
export async function uvProgram(context: BenchContext): Promise<string> {
  const python = await pythonWith(context, 'uv');
  const { stdout } = await execute(python, ['-c', 'import uv; print(uv.find_uv_bin())']);
  return stdout.trim();
}

/** Python with NumPy alone: that of the comparators by hand. */
export async function numpyPython(context: BenchContext): Promise<string> {
  const set = await numpyWheels(context);
  return environmentOf(context, 'numpy', set);
}
