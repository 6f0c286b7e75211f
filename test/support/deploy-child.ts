/**
 * One of several hosts that deploy into one store: a random mix of operations from a fixed seed. Writes when it begins to
 * build a version, whose lock it then holds, and when it ends; prints what it did and what made no sense.
 */
import { appendFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Deployer } from '../../src/deploy/deployer.js';
import { withSteps } from '../../src/deploy/given-steps.js';
import type { PackageSteps } from '../../src/deploy/package-steps.js';
import { readMarker } from '../../src/deploy/seal/seal.js';
import { RunnerError, type RunnerErrorCode } from '../../src/errors.js';
import { Registry } from '../../src/registry/registry.js';
import type { ActiveMapping, RegistryEntry } from '../../src/registry/types.js';
import { plainSteps } from './plain-steps.js';

const [, , root = '', packages = '', journal = '', id = '', rounds = '0', seed = '1'] = process.argv;
let state = Number(seed) * 2654435761 + 1;
const below = (limit: number) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
};

const wrong: string[] = [];
const done: Record<string, number> = {};
const say = (what: string, version: string) => {
  appendFileSync(journal, `${what} ${version} ${id}\n`);
};

await using registry = await Registry.open(root, { durability: 'none', pollMs: 20, lockTimeoutMs: 120_000 });
const steps: PackageSteps = {
  ...plainSteps,
  environment: (folder, inspection, o) => {
    say('enter', inspection.version);
    return plainSteps.environment(folder, inspection, o);
  },
  smoke: (_folder, _venv, { version }) => {
    say('leave', version);
    return Promise.resolve({});
  },
};
const options = { registry, retention: { keep: 2 }, lockTimeoutMs: 120_000 };
await using deployer = new Deployer(withSteps(options, steps));
registry.on('damaged', (damage) => wrong.push(`damaged: ${damage.problems.join()}`));

const someVersion = () => `1.${below(4)}.0`;
const about = () => ({ name: 'sample', version: someVersion() });

const operations: [name: string, run: () => Promise<unknown>, refusals: RunnerErrorCode[]][] = [
  ['install', () => deployer.install(path.join(packages, `${someVersion()}.zip`)), ['already_installed']],
  [
    'force',
    () => deployer.install(path.join(packages, `${someVersion()}.zip`), { force: true }),
    ['version_in_use'],
  ],
  ['uninstall', () => deployer.uninstall('sample', someVersion()), ['not_found', 'unsafe_uninstall']],
  ['prune', () => deployer.prune(), []],
  ['switch', () => registry.switch({ ...about(), productIds: ['A01', 'A02'], operator: id }), ['not_found']],
  ['rollback', () => registry.rollback({ productId: 'A01' }), ['not_found']],
  [
    'use',
    async () => {
      const { name, version } = about();
      await using _use = await registry.use(name, version);
      if (!(await isThere(name, version))) wrong.push(`${version} is in use and not there`);
    },
    ['not_found'],
  ],
  ['look', look, []],
];

async function isThere(name: string, version: string): Promise<boolean> {
  const listed = await registry.get(name, version);
  const marker = await readMarker(registry.layout.deployed(name, version));
  return listed !== undefined && marker?.deployment_id === listed.deployment_id;
}

/** What the file says must hold together. Between the two renames of a replacement a version is not in its place. */
async function look(): Promise<void> {
  const raw = JSON.parse(await readFile(registry.layout.registry, 'utf8')) as {
    packages: RegistryEntry[];
    active: Record<string, ActiveMapping>;
  };
  for (const { pid, version } of Object.values(raw.active)) {
    if (!raw.packages.some((entry) => entry.version === version)) wrong.push(`${pid} -> ${version}`);
  }
  for (const { name, version } of raw.packages) {
    let isSound = false;
    for (let attempt = 0; attempt < 200 && !isSound; attempt++) {
      isSound = (await isThere(name, version)) || !(await registry.get(name, version));
    }
    if (!isSound) wrong.push(`${version} is listed and not there`);
  }
}

for (let round = 0; round < Number(rounds); round++) {
  const [name, run, refusals] = operations[below(operations.length)] ?? ['none', look, []];
  try {
    await run();
    done[name] = (done[name] ?? 0) + 1;
  } catch (error) {
    if (!RunnerError.is(error) || !refusals.includes(error.code)) throw error;
  }
}
process.stdout.write(JSON.stringify({ wrong, done }));
