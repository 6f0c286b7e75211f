/** Environments: their disk and the host's memory, and 20,000 files of 2 GB against plain unzip. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { setAside } from '../harness/aside.js';
import { Unavailable, type BenchCase, type BenchContext } from '../harness/case.js';
import { timed } from '../harness/statistics.js';
import { diskBytes, install } from '../support/installs.js';
import { bareEnvironment, execute, pythonOf } from '../support/pythons.js';
import { numpyWheels } from '../support/wheels.js';

const MEMORY_GOAL_MB = 80;
const BY_HAND = 'python -m venv and pip by hand';
const FIRST = 'ours, link, first';
const FURTHER = 'ours, link, further';

const environments: BenchCase = {
  name: 'python/environments',
  measures: 'An environment with NumPy: by pip, by links into a store, and one more of the same wheels',
  figures: { time: { unit: 'ms' }, cpu: { unit: 'ms' }, memory: { unit: 'MB' }, disk: { unit: '% more' } },
  bars: [
    { figure: 'time', contestant: 'ours, pip', over: BY_HAND, atMost: 0.25 },
    { figure: 'time', contestant: FIRST, over: BY_HAND, atMost: 0.25 },
    { figure: 'time', contestant: FURTHER, over: BY_HAND, atMost: 0.03 },
    { figure: 'disk', contestant: FURTHER, atMost: 5 },
    ...['ours, pip', FIRST, FURTHER].map((contestant) => ({
      ...{ figure: 'memory', contestant, atMost: MEMORY_GOAL_MB },
    })),
  ],
  rounds: 3,
  async open(context) {
    const set = await numpyWheels(context);
    const at = (name: string) => path.join(context.folder, name);
    const remove = (...names: string[]) => setAside(context.folder, ...names.map(at));
    const byHand = () => ({
      round: async () => {
        const env = bareEnvironment();
        const bin = path.join(at('hand'), process.platform === 'win32' ? 'Scripts' : 'bin', 'python');
        const pip = ['-m', 'pip', 'install', '--no-index', '--find-links', set.wheels];
        const time = await timed(async () => {
          await execute(set.python, ['-m', 'venv', at('hand')], { env });
          await execute(bin, [...pip, '-r', set.requirements], { env });
        });
        await remove('hand');
        return { time };
      },
    });
    return {
      'ours, pip': () => ({
        round: async () => {
          const figures = await install(context, at('pip'), set);
          await remove('pip');
          return figures;
        },
      }),
      [FIRST]: () => ({
        round: async () => {
          const figures = await install(context, at('first'), set, at('first-store'));
          await remove('first', 'first-store');
          return figures;
        },
      }),
      [FURTHER]: async () => {
        await install(context, at('before'), set, at('store'));
        const one = await diskBytes([at('store'), at('before')]);
        return {
          round: async () => {
            const figures = await install(context, at('further'), set, at('store'));
            const both = await diskBytes([at('store'), at('before'), at('further')]);
            await remove('further');
            return { ...figures, disk: (both / one - 1) * 100 };
          },
        };
      },
      ...(context.quick ? {} : { [BY_HAND]: byHand }), // deploy/numpy has it in a quick run
    };
  },
};

/** Four wheels with so many files each. */
async function makeWheels(context: BenchContext, name: string, files: number, bytesPerFile: number) {
  const wheels = path.join(context.folder, name);
  await mkdir(wheels, { recursive: true });
  const python = await pythonOf(context);
  const script = fileURLToPath(new URL('../support/wheel-set.py', import.meta.url));
  await execute(python, [script, wheels, '4', String(files), String(bytesPerFile)]);
  const requirements = path.join(context.folder, `${name}.txt`);
  await writeFile(requirements, 'bulk0\nbulk1\nbulk2\nbulk3\n');
  return { wheels, requirements, python };
}

const LARGE_FIRST = 'ours, 2 GB, first';
const LARGE_SECOND = 'ours, 2 GB, second';
const SMALL_SECOND = 'ours, 20 MB, second';

const bulk: BenchCase = {
  name: 'python/bulk',
  measures:
    'An environment of 20,000 files of 2 GB, and a second one of the same wheels, whose time is that of 20 MB',
  figures: { time: { unit: 'ms' }, cpu: { unit: 'ms' }, memory: { unit: 'MB' } },
  bars: [
    { figure: 'time', contestant: LARGE_FIRST, over: 'unzip', atMost: 0.7 },
    { figure: 'time', contestant: LARGE_SECOND, over: SMALL_SECOND, atMost: 2 }, // a hundred times the bytes
    { figure: 'memory', contestant: LARGE_FIRST, atMost: MEMORY_GOAL_MB },
    { figure: 'memory', contestant: LARGE_SECOND, atMost: MEMORY_GOAL_MB },
  ],
  rounds: 2,
  warmUp: false,
  limitSeconds: 900,
  async open(context) {
    const { folder, quick } = context;
    const files = quick ? 250 : 5_000;
    const large = await makeWheels(context, 'large', files, quick ? 20_000 : 100_000);
    const small = await makeWheels(context, 'small', files, 1_000);
    const at = (name: string) => path.join(folder, name);
    const second = (set: typeof large, store: string) => async () => {
      await install(context, at(`${store}-before`), set, at(store));
      return {
        round: async () => {
          const figures = await install(context, at(`${store}-second`), set, at(store));
          await setAside(folder, at(`${store}-second`));
          return figures;
        },
      };
    };
    return {
      [LARGE_FIRST]: () => ({
        round: async () => {
          const figures = await install(context, at('first'), large, at('first-store'));
          await setAside(folder, at('first'), at('first-store'));
          return figures;
        },
      }),
      [LARGE_SECOND]: second(large, 'large-store'),
      [SMALL_SECOND]: second(small, 'small-store'),
      unzip: async () => {
        await execute('unzip', ['-v']).catch(() => {
          throw new Unavailable('There is no unzip on the path');
        });
        const names = (await readdir(large.wheels)).map((name) => path.join(large.wheels, name));
        return {
          round: async () => {
            const time = await timed(async () => {
              for (const name of names) await execute('unzip', ['-q', '-d', at('unzip'), name]);
            });
            await setAside(folder, at('unzip'));
            return { time };
          },
        };
      },
    };
  },
};

export const cases: BenchCase[] = [environments, bulk];
