/** One deploy against a virtual environment and pip by hand, a second one of the same wheels, and recovery. */
import { spawnSync } from 'node:child_process';
import { cp, lstat, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Deployer } from '../../src/index.js';
import { setAside } from '../harness/aside.js';
import { Unavailable, type BenchCase, type BenchContext } from '../harness/case.js';
import { timed } from '../harness/statistics.js';
import { bareEnvironment, execute, pythonOf } from '../support/pythons.js';
import { numpyWheels, wheelFiles } from '../support/wheels.js';

const BY_HAND = 'python -m venv and pip by hand';

/** A store of its own, with whatever `before` puts into it untimed; everything at its default, fsync too. */
async function deploy(
  { library, folder }: BenchContext,
  zip: string,
  before: (deployer: Deployer) => unknown = () => undefined,
): Promise<number> {
  const root = path.join(folder, 'store');
  const registry = await library.main.Registry.open(root);
  const deployer = new library.main.Deployer({ registry });
  await before(deployer);
  const took = await timed(() => deployer.install(zip));
  await deployer.close();
  await registry.close();
  await setAside(folder, root);
  return took;
}

/** SDK and NumPy where it can be had, else the SDK alone. */
async function subject(context: BenchContext) {
  const sdk = await context.library.testing.defaultSdkWheels('phased');
  try {
    const numpy = await numpyWheels(context);
    return { sdk, extra: await wheelFiles(numpy), python: numpy.python };
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    return { sdk, extra: [], python: await pythonOf(context) };
  }
}

const deploying: BenchCase = {
  name: 'deploy/numpy',
  measures:
    'Deploying SDK and NumPy with all checks, trial run and fsync: the first time, and a second version',
  figures: { time: { unit: 'ms' } },
  bars: [
    { figure: 'time', contestant: 'ours, first version', over: BY_HAND, atMost: 0.2 },
    { figure: 'time', contestant: 'ours, second version', over: BY_HAND, atMost: 0.15 },
  ],
  rounds: 3,
  async open(context) {
    const { folder } = context;
    const { sdk, extra, python } = await subject(context);
    const requirements = `procvision_algorithm_sdk\n${extra.length > 0 ? 'numpy\n' : ''}`;
    const wheels = path.join(folder, 'wheels');
    await mkdir(wheels);
    for (const { file, bytes } of [...sdk, ...extra]) await writeFile(path.join(wheels, file), bytes);
    const requirementsFile = path.join(folder, 'requirements.txt');
    await writeFile(requirementsFile, requirements);
    const zip = async (version: string) => {
      const file = path.join(folder, `${version}.zip`);
      const source = { version, wheels: extra, requirements, stored: true };
      await writeFile(file, await context.library.testing.buildPackage(source));
      return file;
    };
    const [first, second] = [await zip('1.0.0'), await zip('2.0.0')];
    return {
      'ours, first version': () => ({ round: async () => ({ time: await deploy(context, first) }) }),
      'ours, second version': () => ({
        round: async () => ({ time: await deploy(context, second, (deployer) => deployer.install(first)) }),
      }),
      [BY_HAND]: () => ({
        round: async () => {
          const venv = path.join(folder, 'by-hand');
          const env = bareEnvironment();
          const bin = process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python';
          const pip = ['-m', 'pip', 'install', '--no-index', '--find-links', wheels];
          const time = await timed(async () => {
            await execute(python, ['-m', 'venv', venv], { env });
            await execute(path.join(venv, bin), [...pip, '-r', requirementsFile], { env });
          });
          await setAside(folder, venv);
          return { time };
        },
      }),
    };
  },
};

const recovering: BenchCase = {
  name: 'deploy/recover',
  measures: 'Opening a store and recovering it after a forced install was killed between its two renames',
  figures: { time: { unit: 'ms' } },
  bars: [{ figure: 'time', contestant: 'ours', atMost: 1_000 }],
  rounds: 10,
  async open(context) {
    const { library, folder } = context;
    const { Deployer, Registry } = library.main;
    if (process.platform === 'win32') throw new Unavailable('Windows has no SIGKILL to end a process by');
    const template = path.join(folder, 'template');
    const zip = path.join(folder, 'sample-v1.0.0-offline.zip');
    await writeFile(zip, await library.testing.buildPackage({}));
    await using registry = await Registry.open(template, { durability: 'none' });
    await using deployer = new Deployer({ registry });
    await deployer.install(zip);
    const script = fileURLToPath(new URL('../support/kill-install.mjs', import.meta.url));
    const entries = [library.file('index.js'), library.file('testing/index.js')];
    const { signal, stderr } = spawnSync(process.execPath, [script, ...entries, template, zip], {
      encoding: 'utf8',
    });
    if (signal !== 'SIGKILL') throw new Error(`the install was not killed: ${stderr}`);
    let rounds = 0;
    return {
      ours: () => ({
        round: async () => {
          const root = path.join(folder, `killed${++rounds}`);
          // Without the signs of life of the host that was killed: cp() refuses sockets, and they say nothing any more.
          const filter = async (file: string) => !(await lstat(file)).isSocket();
          await cp(template, root, { recursive: true, verbatimSymlinks: true, filter });
          const startedAt = performance.now();
          await using registry = await Registry.open(root, { durability: 'none', pollMs: 60_000 });
          await using deployer = new Deployer({ registry });
          const { recovered } = await deployer.recover();
          const time = performance.now() - startedAt;
          if (recovered.length !== 1) throw new Error('there was nothing to recover');
          return { time };
        },
      }),
    };
  },
};

export const cases: BenchCase[] = [deploying, recovering];
