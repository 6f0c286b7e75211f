/** Deploying the wheels of a real algorithm beside what else installs them: pip by hand, and uv. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setAside } from '../harness/aside.js';
import type { BenchCase, BenchContext, Contestant, OpenContestant } from '../harness/case.js';
import { timed } from '../harness/statistics.js';
import { uvProgram } from '../peers/environments.js';
import { bareEnvironment, execute } from '../support/pythons.js';
import { pinsOf } from '../support/pins.js';
import { pinnedWheels, wheelFiles, type WheelSet } from '../support/wheels.js';

const FIRST = 'ours, first version';
const SECOND = 'ours, second version';
const PIP = 'venv and pip by hand';
const UV = 'uv, empty cache';
const UV_WARM = 'uv, warm cache';

/** What a quick run takes of a set: the SDK and what it needs. */
const QUICK = /^(numpy|pillow|procvision-algorithm-sdk)==/;

/** The package with all of the set in it, as it would be delivered. */
async function packageOf({ library, folder }: BenchContext, set: WheelSet, version: string): Promise<string> {
  const file = path.join(folder, `sample-v${version}-offline.zip`);
  const source = { version, generation: 'execute-only', sdk: null, stored: true } as const;
  const requirements = `${set.pins.join('\n')}\n`;
  const wheels = await wheelFiles(set);
  await writeFile(file, await library.testing.buildPackage({ ...source, wheels, requirements }));
  return file;
}

/** A store, which may have had the first version before; everything at its default, fsync and trial run too. */
async function deploy(context: BenchContext, zip: string, before?: string): Promise<{ time: number }> {
  const { Deployer, Registry } = context.library.main;
  const root = path.join(context.folder, 'store');
  const registry = await Registry.open(root);
  const deployer = new Deployer({ registry });
  try {
    if (before !== undefined) await deployer.install(before);
    return { time: await timed(() => deployer.install(zip)) };
  } finally {
    await deployer.close();
    await registry.close();
    await setAside(context.folder, root);
  }
}

/** An environment that is made and filled by `make`, and goes again. */
async function environment(folder: string, make: (target: string, python: string) => Promise<unknown>) {
  const target = path.join(folder, 'environment');
  const python = path.join(target, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
  const time = await timed(() => make(target, python));
  await setAside(folder, target);
  return { time };
}

async function uv(context: BenchContext, set: WheelSet, isWarm: boolean): Promise<Contestant> {
  const program = await uvProgram(context);
  const cache = path.join(context.folder, isWarm ? 'uv-warm' : 'uv-cold');
  const env = bareEnvironment({ UV_CACHE_DIR: cache, UV_OFFLINE: '1', UV_NO_CONFIG: '1' });
  const from = ['--no-index', '--find-links', set.wheels, '--requirement', set.requirements];
  const round = async () => {
    if (!isWarm) await setAside(context.folder, cache);
    await mkdir(cache, { recursive: true });
    return environment(context.folder, async (target, python) => {
      await execute(program, ['venv', '--quiet', '--python', set.python, target], { env });
      await execute(program, ['pip', 'install', '--quiet', '--python', python, ...from], { env });
    });
  };
  if (isWarm) await round();
  return { round };
}

function byHand({ folder }: BenchContext, set: WheelSet): Record<string, OpenContestant> {
  const env = bareEnvironment();
  const from = ['--no-index', '--find-links', set.wheels, '--requirement', set.requirements];
  const round = () =>
    environment(folder, async (target, python) => {
      await execute(set.python, ['-m', 'venv', target], { env });
      await execute(python, ['-m', 'pip', 'install', '--quiet', ...from], { env });
    });
  return { [PIP]: () => ({ round }) };
}

/** `quickPip`: whether a quick run has pip, which takes most of its time. */
function deploying(name: string, what: string, rounds: number, quickPip: boolean): BenchCase {
  return {
    name: `deploy/${name}`,
    measures: `Deploying ${what}: ours with all checks, trial run and fsync, the others an environment alone`,
    figures: { time: { unit: 'ms' } },
    bars: [
      { figure: 'time', contestant: FIRST, over: PIP, atMost: 0.5 },
      { figure: 'time', contestant: SECOND, over: PIP, atMost: 0.25 },
    ],
    rounds,
    warmUp: false,
    limitSeconds: 1_200,
    async open(context) {
      const pins = (await pinsOf(name)).filter((pin) => !context.quick || QUICK.test(pin));
      const set = await pinnedWheels(context, pins);
      const first = await packageOf(context, set, '1.0.0');
      const second = await packageOf(context, set, '2.0.0');
      return {
        [FIRST]: () => ({ round: () => deploy(context, first) }),
        [SECOND]: () => ({ round: () => deploy(context, second, first) }),
        ...(quickPip || !context.quick ? byHand(context, set) : {}),
        [UV]: () => uv(context, set, false),
        [UV_WARM]: () => uv(context, set, true),
      };
    },
  };
}

export const cases: BenchCase[] = [
  deploying('vision', 'a vision algorithm of 14 packages, 158 MB of wheels', 3, true),
  deploying('large', 'a large algorithm of 31 packages, 305 MB of wheels', 2, false),
];
