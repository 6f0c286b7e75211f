/** Environments against `python -m venv` and its own pip by hand, and large wheel sets against plain unzip. */
import { execFile } from 'node:child_process';
import { lstat, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { VenvManager } from '../../src/python/venv-manager.js';
import { sharedNumpyWheel } from '../../test/support/shared-material.js';
import { figure, median, type BenchCase, type BenchResult } from '../harness.js';
import { builtFile } from '../support/built.js';

const execute = promisify(execFile);
const support = (file: string) => fileURLToPath(new URL(`../support/${file}`, import.meta.url));
const MEMORY_GOAL_MB = 80;

/** A host of its own: one environment, one installation; how long that took and the most memory it had. */
const HOST = `
const [library, dir, python, wheels, requirements, wheelStore] = process.argv.slice(1);
const { VenvManager } = await import(library);
const startedAt = performance.now();
const manager = new VenvManager({ python, ...(wheelStore && { installer: 'link', wheelStore }) });
const venv = await manager.create(dir, { interpreter: await manager.select({}) });
await manager.install(venv, { wheels, requirements });
const ms = performance.now() - startedAt;
console.log(JSON.stringify({ ms, peakBytes: process.resourceUsage().maxRSS * 1024 }));
`;

interface Wheels {
  wheels: string;
  requirements: string;
  python: string;
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'bench-python-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** What a person does by hand, with the pip that the environment then has. */
async function byHand(dir: string, { wheels, requirements, python }: Wheels): Promise<void> {
  await execute(python, ['-m', 'venv', dir]);
  const pip = [path.join(dir, 'bin', 'python'), '-m', 'pip', 'install', '--no-index', '--find-links', wheels];
  await execute(pip[0] ?? '', [...pip.slice(1), '-r', requirements]);
}

/** Ours, in a process of its own, whose start is not counted. */
async function ours(
  dir: string,
  { wheels, requirements, python }: Wheels,
  store = '',
): Promise<{ ms: number; peakBytes: number }> {
  const module = pathToFileURL(builtFile('index.js')).href;
  const args = ['--input-type=module', '-e', HOST, module, dir, python, wheels, requirements, store];
  const { stdout } = await execute(process.execPath, args, { maxBuffer: 64 << 20 });
  return JSON.parse(stdout) as { ms: number; peakBytes: number };
}

/** Bytes on disk, each file once however many names it has. */
async function diskBytes(folders: readonly string[]): Promise<number> {
  const blocks = new Map<number, number>();
  for (const folder of folders) {
    for (const name of ['.', ...(await readdir(folder, { recursive: true }))]) {
      const { ino, blocks: count } = await lstat(path.join(folder, name));
      blocks.set(ino, count * 512);
    }
  }
  return [...blocks.values()].reduce((sum, bytes) => sum + bytes, 0);
}

function against(
  name: string,
  comparator: string,
  samples: { ours: number[]; theirs: number[] },
  atMost: number,
): BenchResult {
  const value = median(samples.ours);
  const ratio = value / median(samples.theirs);
  return {
    name,
    value,
    unit: 'ms',
    comparator,
    ratio,
    goal: `<= ${atMost} x`,
    pass: ratio <= atMost,
    samples: { ours: samples.ours, comparator: samples.theirs },
  };
}

async function numpyDeploys(rounds = 3): Promise<BenchResult[]> {
  const wheel = sharedNumpyWheel();
  if (wheel === undefined) return [];
  const { path: python } = await new VenvManager().select({ pythonVersion: '3.11' });
  return inFolder(async (folder) => {
    const requirements = path.join(folder, 'requirements.txt');
    await writeFile(requirements, 'numpy\n');
    const source = { wheels: path.dirname(wheel), requirements, python };
    const times = {
      hand: [] as number[],
      pip: [] as number[],
      first: [] as number[],
      further: [] as number[],
    };
    const shares: number[] = [];
    const peaks: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const at = (name: string) => path.join(folder, `${name}${round}`);
      times.hand.push(await timed(() => byHand(at('hand'), source)));
      const pip = await ours(at('pip'), source);
      const first = await ours(at('first'), source, at('store'));
      const one = await diskBytes([at('store'), at('first')]);
      const further = await ours(at('further'), source, at('store'));
      shares.push((await diskBytes([at('store'), at('first'), at('further')])) / one - 1);
      times.pip.push(pip.ms);
      times.first.push(first.ms);
      times.further.push(further.ms);
      peaks.push(...[pip, first, further].map(({ peakBytes }) => peakBytes / 1e6));
      for (const name of ['hand', 'pip', 'first', 'further', 'store'])
        await rm(at(name), { recursive: true });
    }
    const comparator = 'venv with pip, its pip install';
    return [
      against('python: first deploy, pip', comparator, { ours: times.pip, theirs: times.hand }, 0.25),
      against('python: first deploy, link', comparator, { ours: times.first, theirs: times.hand }, 0.25),
      against('python: further version, link', comparator, { ours: times.further, theirs: times.hand }, 0.03),
      figure({
        name: 'python: disk of a further version, link',
        unit: '% more',
        samples: shares.map((share) => share * 100),
        atMost: 5,
      }),
      figure({
        name: 'python: peak memory of the host, numpy',
        unit: 'MB',
        samples: peaks,
        value: Math.max(...peaks),
        atMost: MEMORY_GOAL_MB,
      }),
    ];
  });
}

/** 4 wheels with 5,000 files each. */
async function makeWheelSet(folder: string, bytesPerFile: number): Promise<Wheels & { bytes: number }> {
  const wheels = path.join(folder, 'wheels');
  await mkdir(wheels, { recursive: true });
  const { path: python } = await new VenvManager().select({});
  await execute(python, [support('wheel-set.py'), wheels, '4', '5000', String(bytesPerFile)]);
  const requirements = path.join(folder, 'requirements.txt');
  await writeFile(requirements, 'bulk0\nbulk1\nbulk2\nbulk3\n');
  return { wheels, requirements, python, bytes: bytesPerFile * 20_000 };
}

async function largeWheelSet(rounds = 2): Promise<BenchResult[]> {
  return inFolder(async (folder) => {
    const large = await makeWheelSet(path.join(folder, 'large'), 100_000);
    const small = await makeWheelSet(path.join(folder, 'small'), 1_000);
    const names = (await readdir(large.wheels)).map((name) => path.join(large.wheels, name));
    const unzip: number[] = [];
    const first: number[] = [];
    const second: number[] = [];
    const secondOfSmall: number[] = [];
    const peaks: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const at = (name: string) => path.join(folder, `${name}${round}`);
      unzip.push(
        await timed(async () => {
          for (const name of names) await execute('unzip', ['-q', '-d', at('unzip'), name]);
        }),
      );
      await rm(at('unzip'), { recursive: true });
      const one = await ours(at('first'), large, at('store'));
      const two = await ours(at('second'), large, at('store'));
      await ours(at('small-first'), small, at('small-store'));
      const three = await ours(at('small-second'), small, at('small-store'));
      first.push(one.ms);
      second.push(two.ms);
      secondOfSmall.push(three.ms);
      peaks.push(one.peakBytes / 1e6, two.peakBytes / 1e6);
      for (const name of ['first', 'second', 'store', 'small-first', 'small-second', 'small-store']) {
        await rm(at(name), { recursive: true });
      }
    }
    return [
      against('python: first deploy, 2 GB in 20,000 files', 'unzip', { ours: first, theirs: unzip }, 1.3),
      against(
        'python: second deploy, 2 GB in 20,000 files',
        'second deploy of 20 MB in 20,000 files',
        { ours: second, theirs: secondOfSmall },
        2, // a hundred times the bytes
      ),
      figure({
        name: 'python: peak memory of the host, 2 GB',
        unit: 'MB',
        samples: peaks,
        value: Math.max(...peaks),
        atMost: MEMORY_GOAL_MB,
      }),
    ];
  });
}

export const cases: BenchCase[] = [
  { name: 'python: numpy deploys', run: () => numpyDeploys() },
  { name: 'python: 2 GB wheel set', heavy: true, run: () => largeWheelSet() },
];
