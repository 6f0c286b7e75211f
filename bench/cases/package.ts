/** Inspecting a large package. */
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildPackage, buildWheel, wheelFileName } from '../../src/testing/index.js';
import { figure, type BenchCase, type BenchResult } from '../harness.js';
import { builtFile } from '../support/built.js';
import { scratchFolder } from '../support/processes.js';

const MIB = 1024 ** 2;
const WHEELS = 40;
const WHEEL_BYTES = 25 * MIB;
const FILES = 10_000;

/** A package of 1 GB in 10,000 files and 40 wheels, stored as packages with large wheels are. */
async function largePackage(file: string): Promise<void> {
  const content = Buffer.alloc(WHEEL_BYTES, 'not to be packed further ');
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
 * longer than all else, so a host that never asked any is a figure of its own.
 */
const KNOWLEDGE = [
  { name: 'known', title: 'Pythons asked before', atMost: 150 },
  { name: 'remembered', title: 'Pythons remembered by the store', atMost: 150 },
  { name: 'unknown', title: 'no Python ever asked', atMost: 500 },
];
const ROUNDS = 7;

async function inspectingLargePackage(): Promise<BenchResult[]> {
  await using folder = await scratchFolder();
  const file = path.join(folder.path, 'package.zip');
  await largePackage(file);
  const script = fileURLToPath(new URL('../support/inspect-package.mjs', import.meta.url));
  const inspect = (knowledge: string) => {
    const args = [script, builtFile('index.js'), file, knowledge, path.join(folder.path, 'wheels')];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    if (stdout === '') throw new Error(stderr);
    return JSON.parse(stdout) as { ms: number; bytes: number; againMs: number };
  };
  inspect('remembered'); // fills the store's memory
  return KNOWLEDGE.flatMap(({ name, title, atMost }) => {
    const samples = Array.from({ length: ROUNDS }, () => inspect(name));
    const what = `package: inspect 1 GB, 10,000 files, 40 wheels; ${title}`;
    return [
      figure({ name: what, unit: 'ms', samples: samples.map(({ ms }) => ms), atMost }),
      figure({
        name: `${what}: memory`,
        unit: 'MiB',
        samples: samples.map(({ bytes }) => bytes / MIB),
        atMost: 50,
      }),
      figure({
        name: `${what}: once more`,
        unit: 'ms',
        samples: samples.map(({ againMs }) => againMs),
        atMost: 150,
      }),
    ];
  });
}

export const cases: BenchCase[] = [{ name: 'package: inspect', run: inspectingLargePackage }];
