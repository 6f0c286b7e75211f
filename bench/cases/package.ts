/** Inspecting a large package, and one whose wheels the zip has compressed once more. */
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { forgeZip } from '../../test/support/forge-zip.js';
import type { BenchCase, BenchContext } from '../harness/case.js';
import { pinsOf } from '../support/pins.js';
import { pinnedWheels, wheelFiles } from '../support/wheels.js';

const MIB = 1024 ** 2;
const WHEELS = 40;
const WHEEL_BYTES = 25 * MIB;
const FILES = 10_000;

/** A package of 1 GB in 10,000 files and 40 wheels, stored as packages with large wheels are. */
async function largePackage({ library, quick }: BenchContext, file: string): Promise<void> {
  const { buildPackage, buildWheel, wheelFileName } = library.testing;
  const content = Buffer.alloc(quick ? WHEEL_BYTES / 25 : WHEEL_BYTES, 'not to be packed further ');
  const wheels = await Promise.all(
    Array.from({ length: WHEELS }, async (_, index) => {
      const source = {
        name: `part${index}`,
        version: '1',
        files: { [`part${index}.bin`]: content },
        stored: true,
      };
      return { file: wheelFileName(source), bytes: await buildWheel(source) };
    }),
  );
  const assets = Object.fromEntries(
    Array.from({ length: FILES }, (_, index) => [`assets/${index % 100}/${index}.txt`, `asset ${index}`]),
  );
  await writeFile(
    file,
    await buildPackage({
      files: { 'algorithm/__init__.py': '', 'algorithm/main.py': '', ...assets },
      wheels,
      requirements: wheels.map((_, index) => `part${index}==1\n`).join(''),
      stored: true,
    }),
  );
}

/**
 * What the host knows of this machine's Pythons before, and the limit. Starting one is no work of ours and takes
 * longer than all else, so a host that never asked any is a contestant of its own.
 */
const KNOWLEDGE = [
  { name: 'known', contestant: 'ours, Pythons asked before', atMost: 150 },
  { name: 'remembered', contestant: 'ours, Pythons remembered by the store', atMost: 150 },
  { name: 'unknown', contestant: 'ours, no Python ever asked', atMost: 500 },
];

const inspecting: BenchCase = {
  name: 'package/inspect',
  measures:
    'inspect() of 1 GB in 10,000 files and 40 wheels in a new process, its memory, and inspect() once more',
  figures: { first: { unit: 'ms' }, again: { unit: 'ms' }, memory: { unit: 'MiB' } },
  bars: KNOWLEDGE.flatMap(({ contestant, atMost }) => [
    { contestant, figure: 'first', atMost },
    { contestant, figure: 'again', atMost: 150 },
    { contestant, figure: 'memory', atMost: 50 },
  ]),
  rounds: 7,
  async open(context) {
    const file = path.join(context.folder, 'package.zip');
    await largePackage(context, file);
    const script = fileURLToPath(new URL('../support/inspect-package.mjs', import.meta.url));
    const inspect = (knowledge: string) => {
      const wheels = path.join(context.folder, 'wheels');
      const args = [script, context.library.file('index.js'), file, knowledge, wheels];
      const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
      if (stdout === '') throw new Error(stderr);
      const { ms, bytes, againMs } = JSON.parse(stdout) as { ms: number; bytes: number; againMs: number };
      return { first: ms, again: againMs, memory: bytes / MIB };
    };
    inspect('remembered'); // fills the store's memory
    const contestants = KNOWLEDGE.map(({ name, contestant }) => [
      contestant,
      () => ({ round: () => Promise.resolve(inspect(name)) }),
    ]);
    return Object.fromEntries(contestants) as Awaited<ReturnType<BenchCase['open']>>;
  },
};

const INFLATING = "inflating its wheels by Node's zlib";

/** Every wheel of a real algorithm in a package that deflates them, as zip, Explorer and zipfile do. */
async function deflatedPackage(context: BenchContext, file: string): Promise<void> {
  const pins = (await pinsOf('large')).filter((pin) => !context.quick || pin.startsWith('numpy=='));
  const set = await pinnedWheels(context, pins);
  const entries = await context.library.testing.packageEntries({
    ...{ generation: 'execute-only', pids: ['A01'], sdk: null, requirements: `${set.pins.join('\n')}\n` },
    wheels: await wheelFiles(set),
  });
  // Deflated whether that makes it smaller or not, which for half of the wheels it does not.
  await writeFile(file, forgeZip(entries.map(({ name, data = '' }) => ({ name, data: Buffer.from(data) }))));
}

const deflated: BenchCase = {
  name: 'package/inspect-deflated',
  measures: 'inspect() of a package that deflates 305 MB of wheels, in a new process, and once more',
  figures: { first: { unit: 'ms' }, again: { unit: 'ms' }, memory: { unit: 'MiB' } },
  bars: [
    { figure: 'first', contestant: 'ours', over: INFLATING, atMost: 1.2 },
    { figure: 'again', contestant: 'ours', atMost: 50 },
    { figure: 'memory', contestant: 'ours', atMost: 50 },
  ],
  limitSeconds: 900,
  async open(context) {
    const file = path.join(context.folder, 'package.zip');
    await deflatedPackage(context, file);
    const scripts = ['inspect-package', 'inflate-wheels'].map((name) =>
      fileURLToPath(new URL(`../support/${name}.mjs`, import.meta.url)),
    );
    const [inspect = '', inflate = ''] = scripts;
    const run = (...args: string[]): unknown => {
      const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
      if (stdout === '') throw new Error(stderr);
      return JSON.parse(stdout);
    };
    return {
      ours: () => ({
        round: () => {
          const found = run(inspect, context.library.file('index.js'), file, 'known');
          const { ms, bytes, againMs } = found as { ms: number; bytes: number; againMs: number };
          return Promise.resolve({ first: ms, again: againMs, memory: bytes / MIB });
        },
      }),
      [INFLATING]: () => ({
        round: () => Promise.resolve({ first: run(inflate, file) as number }),
      }),
    };
  },
};

export const cases: BenchCase[] = [inspecting, deflated];
