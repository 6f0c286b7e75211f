/** Environments of real wheels beside those that uv and pip make of the same: the table of what deploying costs. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setAside } from '../harness/aside.js';
import type { BenchCase, BenchContext, Contestant, OpenContestant } from '../harness/case.js';
import { timed } from '../harness/statistics.js';
import { pythonWith, uvProgram } from '../peers/environments.js';
import { cpuOfChildren, install } from '../support/installs.js';
import { pinsOf } from '../support/pins.js';
import { bareEnvironment, execute } from '../support/pythons.js';
import { pinnedWheels, type WheelSet } from '../support/wheels.js';

const FIRST = 'ours, first version';
const SAME = 'ours, further version, same requirements';
const OTHER = 'ours, further version, other requirements';
const UV = 'uv, empty cache';
const UV_WARM = 'uv, warm cache';
const PIP = 'pip 26.3, environment without pip';

/** What a quick run takes of a set. */
const QUICK = /^(numpy|pillow|procvision-algorithm-sdk)==/;

type Set = WheelSet & { readonly otherRequirements: string };

/** The same wheels, asked for in another way: without versions, the last first. */
async function setOf(context: BenchContext, name: string): Promise<Set> {
  const pins = (await pinsOf(name)).filter((pin) => !context.quick || QUICK.test(pin));
  const set = await pinnedWheels(context, pins);
  const otherRequirements = path.join(context.folder, 'other.txt');
  const names = pins.map((pin) => pin.split('==', 1)[0] ?? pin).reverse();
  await writeFile(otherRequirements, `${names.join('\n')}\n`);
  return { ...set, otherRequirements };
}

/** Each round makes `environment` and sets it aside, which is not counted. */
function rounds(
  context: BenchContext,
  make: (target: string) => Promise<{ time: number; cpu?: number }>,
): Contestant {
  const target = path.join(context.folder, 'environment');
  return {
    round: async () => {
      const { time, cpu } = await make(target);
      await setAside(context.folder, target);
      return { time, ...(cpu !== undefined && { cpu }) };
    },
  };
}

/** Ours: the first empties its store before; the others find the wheels in it, by the first requirements. */
async function ours(context: BenchContext, set: Set, what: string): Promise<Contestant> {
  const store = path.join(context.folder, what.replaceAll(/\W+/g, '-'));
  if (what === FIRST) {
    return rounds(context, async (target) => {
      await setAside(context.folder, store);
      return install(context, target, set, store);
    });
  }
  const further = what === OTHER ? { ...set, requirements: set.otherRequirements } : set;
  const before = path.join(context.folder, 'before');
  await install(context, before, set, store);
  await setAside(context.folder, before);
  return rounds(context, (target) => install(context, target, further, store));
}

/** Processes that make and fill an environment, with the time that their processors took. */
async function measured(work: () => Promise<unknown>): Promise<{ time: number; cpu?: number }> {
  const before = cpuOfChildren();
  const time = await timed(work);
  const after = cpuOfChildren();
  return { time, ...(before !== undefined && after !== undefined && { cpu: after - before }) };
}

function pythonIn(target: string): string {
  return path.join(target, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
}

async function uv(context: BenchContext, set: Set, isWarm: boolean): Promise<Contestant> {
  const program = await uvProgram(context);
  const cache = path.join(context.folder, isWarm ? 'uv-warm' : 'uv-cold');
  const env = bareEnvironment({
    ...{ UV_CACHE_DIR: cache, UV_OFFLINE: '1', UV_NO_CONFIG: '1', UV_LINK_MODE: 'hardlink' },
  });
  const from = ['--no-index', '--find-links', set.wheels, '--requirement', set.requirements];
  const contestant = rounds(context, async (target) => {
    if (!isWarm) await setAside(context.folder, cache);
    await mkdir(cache, { recursive: true });
    return measured(async () => {
      await execute(program, ['venv', '--quiet', '--python', set.python, target], { env });
      await execute(program, ['pip', 'install', '--quiet', '--python', pythonIn(target), ...from], { env });
    });
  });
  if (isWarm) await contestant.round();
  return contestant;
}

/** pip without byte code, which neither uv nor an environment of ours has. */
async function pip(context: BenchContext, set: Set): Promise<Contestant> {
  const python = await pythonWith(context, 'pip');
  const env = bareEnvironment();
  const from = ['--no-index', '--find-links', set.wheels, '--requirement', set.requirements];
  return rounds(context, (target) =>
    measured(async () => {
      await execute(set.python, ['-m', 'venv', '--without-pip', target], { env });
      const command = ['-m', 'pip', '--python', pythonIn(target), 'install', '--quiet', '--no-compile'];
      await execute(python, [...command, ...from], { env });
    }),
  );
}

interface Goals {
  uv: number | undefined;
  pip: number;
}

function environments(name: string, what: string, goals: Goals): BenchCase {
  return {
    name: `deploy/wheels-${name}`,
    measures: `An environment of ${what}, with every byte held against RECORD in ours`,
    figures: { time: { unit: 'ms' }, cpu: { unit: 'ms' } },
    bars: [
      ...(goals.uv === undefined ? [] : [{ figure: 'time', contestant: FIRST, over: UV, atMost: goals.uv }]),
      { figure: 'time', contestant: FIRST, over: PIP, atMost: goals.pip },
      { figure: 'time', contestant: SAME, over: UV_WARM, atMost: 1.2 },
      { figure: 'time', contestant: OTHER, over: UV_WARM, atMost: 1.5 },
    ],
    rounds: 3,
    warmUp: false,
    limitSeconds: 600,
    async open(context): Promise<Record<string, OpenContestant>> {
      const set = await setOf(context, name);
      return {
        [FIRST]: () => ours(context, set, FIRST),
        [UV]: () => uv(context, set, false),
        ...(context.quick ? {} : { [PIP]: () => pip(context, set) }),
        [SAME]: () => ours(context, set, SAME),
        [OTHER]: () => ours(context, set, OTHER),
        [UV_WARM]: () => uv(context, set, true),
      };
    },
  };
}

export const cases: BenchCase[] = [
  environments('vision', 'the 14 wheels of a vision algorithm, 165 MB', { uv: 1.5, pip: 0.85 }),
  environments('large', 'the 31 wheels of a large algorithm, 305 MB', { uv: undefined, pip: 1.2 }),
];
