/** One deploy against a virtual environment and pip by hand, a second one of the same wheels, and recovery. */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Deployer } from '../../src/deploy/deployer.js';
import { pythonEnvironment } from '../../src/process/environment.js';
import { run } from '../../src/process/run.js';
import { Registry } from '../../src/registry/registry.js';
import { buildPackage, defaultSdkWheels } from '../../src/testing/index.js';
import { killScenarios, openStore } from '../../test/support/kill-scenarios.js';
import { sharedNumpyWheel } from '../../test/support/shared-material.js';
import { compare, figure, type BenchCase, type BenchResult } from '../harness.js';

const TIMEOUT_MS = 300_000;

interface Station {
  folder: string;
  /** Path of the package in this version. */
  zip: (version: string) => Promise<string>;
  /** Folder of its wheels and its requirements file, as somebody would have unzipped them. */
  wheels: string;
  requirements: string;
  /** What the package has in it. */
  content: string;
}

async function withStation<T>(work: (station: Station) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'bench-deploy-'));
  try {
    const numpy = sharedNumpyWheel();
    const extra = numpy ? [{ file: path.basename(numpy), bytes: await readFile(numpy) }] : [];
    const sdk = await defaultSdkWheels('phased');
    const requirements = `procvision_algorithm_sdk\n${numpy ? 'numpy\n' : ''}`;
    const wheels = path.join(folder, 'wheels');
    await mkdir(wheels);
    for (const { file, bytes } of [...sdk, ...extra]) await writeFile(path.join(wheels, file), bytes);
    await writeFile(path.join(folder, 'requirements.txt'), requirements);
    return await work({
      ...{ folder, wheels, requirements: path.join(folder, 'requirements.txt') },
      zip: async (version) => {
        const file = path.join(folder, `${version}.zip`);
        await writeFile(file, await buildPackage({ version, wheels: extra, requirements, stored: true }));
        return file;
      },
      content: numpy ? 'SDK and NumPy' : 'SDK alone',
    });
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** `python -m venv` and `pip install`, as written in the packaging tool's guide. */
async function byHand({ folder, wheels, requirements }: Station): Promise<number> {
  const venv = path.join(folder, 'by-hand');
  const env = pythonEnvironment();
  const startedAt = performance.now();
  const made = await run('python3', ['-m', 'venv', venv], { env, timeoutMs: TIMEOUT_MS });
  const python = path.join(venv, 'bin', 'python');
  const install = ['-m', 'pip', 'install', '--no-index', '--find-links', wheels, '-r', requirements];
  const installed = await run(python, install, { env, timeoutMs: TIMEOUT_MS });
  const tookMs = performance.now() - startedAt;
  if (made.exitCode !== 0 || installed.exitCode !== 0) throw new Error(made.stderr + installed.stderr);
  await rm(venv, { recursive: true });
  return tookMs;
}

/** A store of its own, with whatever `before` puts into it untimed; everything at its default, fsync too. */
async function deploy(
  { folder }: Station,
  zip: string,
  before: (deployer: Deployer) => Promise<unknown> = () => Promise.resolve(),
): Promise<number> {
  const root = path.join(folder, 'store');
  const registry = await Registry.open(root);
  const deployer = new Deployer({ registry });
  await before(deployer);
  const startedAt = performance.now();
  await deployer.install(zip);
  const tookMs = performance.now() - startedAt;
  await deployer.close();
  await registry.close();
  await rm(root, { recursive: true });
  return tookMs;
}

const comparator = 'python -m venv and pip install by hand';

function deploys(): Promise<BenchResult[]> {
  return withStation(async (station) => {
    const first = await station.zip('1.0.0');
    const second = await station.zip('2.0.0');
    return [
      await compare({
        name: `deploy ${station.content}, all checks, trial run and fsync`,
        ...{ comparator, rounds: 3, atMost: 0.25 },
        ours: () => deploy(station, first),
        theirs: () => byHand(station),
      }),
      await compare({
        name: `deploy a second version with the same wheels`,
        ...{ comparator, rounds: 3, atMost: 0.15 },
        ours: () => deploy(station, second, (deployer) => deployer.install(first)),
        theirs: () => byHand(station),
      }),
    ];
  });
}

/** From the opening of the store to the end of recovery, after a forced install was killed between its two renames. */
async function recovery(): Promise<BenchResult[]> {
  const base = await mkdtemp(path.join(os.tmpdir(), 'bench-recovery-'));
  try {
    const template = path.join(base, 'template');
    await mkdir(template);
    await killScenarios.recover?.prepare(template);
    const samples: number[] = [];
    for (let round = 0; round < 10; round++) {
      const root = path.join(base, String(round));
      await cp(template, root, { recursive: true, verbatimSymlinks: true });
      const startedAt = performance.now();
      await using store = await openStore(root);
      const { recovered } = await store.deployer.recover();
      samples.push(performance.now() - startedAt);
      if (recovered.length !== 1) throw new Error('there was nothing to recover');
    }
    return [
      figure({ name: 'open and recover after a killed forced install', unit: 'ms', samples, atMost: 1_000 }),
    ];
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}

export const cases: BenchCase[] = [
  { name: 'deploy', run: deploys },
  { name: 'recover', run: recovery },
];
