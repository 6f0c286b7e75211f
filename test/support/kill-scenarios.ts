import { createReadStream, existsSync, statSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Deployer, type DeployerOptions } from '../../src/deploy/deployer.js';
import { withSteps } from '../../src/deploy/given-steps.js';
import { RunnerError, type RunnerErrorCode } from '../../src/errors.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import { Registry, type RegistryOptions } from '../../src/registry/registry.js';
import { buildPackage, type FileStepPlan } from '../../src/testing/index.js';
import type { ActiveMapping } from '../../src/registry/types.js';
import { runChild } from './kill-process.js';
import { plainSteps } from './plain-steps.js';

/** One operation that is cut off at every step. */
export interface KillScenario {
  /** Makes the state before it. */
  prepare: (root: string) => Promise<void>;
  /** The operation. It must succeed when repeated after a recovery, whether or not it had happened. */
  operate: (root: string) => Promise<void>;
  /** Puts what `prepare` has made where it is operated on, once for each cut; gives what removes it. */
  place?: (root: string) => Promise<(() => Promise<void>)[]>;
  /** What may be deployed whenever it is cut off: the state before it, any between two commits, the state after it. */
  states: string[][];
}

/** Where a scenario finds its packages: beside the store, so that they are no part of it. */
export const packageFile = (root: string, label: string) => path.join(root, `${label}.zip`);

export const storeFolder = (root: string) => path.join(root, 'store');

/** A child whose syncs are counted waits for the disk; nobody else does. */
const OPTIONS: RegistryOptions = {
  durability: process.env.STORE_DURABILITY === 'full' ? 'full' : 'none',
  pollMs: 60_000,
};

/** Opens the store of a scenario as a host does. */
export async function openStore(
  root: string,
  python: 'plain' | 'real' = 'plain',
  action: 'archive' | 'delete' = 'delete',
): Promise<{ registry: Registry; deployer: Deployer } & AsyncDisposable> {
  const registry = await Registry.open(storeFolder(root), OPTIONS);
  const options: DeployerOptions = { registry, retention: { keep: 1, action } };
  const { wheelStore } = registry.layout;
  if (python === 'plain') withSteps(options, plainSteps);
  else options.venvs = new VenvManager({ python: 'python3', installer: 'link', wheelStore });
  const deployer = new Deployer(options);
  return {
    registry,
    deployer,
    [Symbol.asyncDispose]: async () => {
      await deployer.close();
      await registry.close();
    },
  };
}

/** What is deployed, told from the registry and from the disk: version and which package it came from; what is active. */
export async function describeStore(registry: Registry): Promise<string[]> {
  const entries = await registry.list();
  const labels = entries.map(async ({ name, version }) => {
    const file = path.join(registry.layout.deployed(name, version), 'manifest.json');
    const manifest = JSON.parse(await readFile(file, 'utf8')) as { description?: string };
    return `${version} ${manifest.description ?? ''}`;
  });
  const mappings = Object.values(await registry.active()).map(({ pid, version }) => `${pid} -> ${version}`);
  return [...(await Promise.all(labels)), ...mappings].sort();
}

async function addPackage(root: string, label: string, version: string): Promise<void> {
  const manifest = { description: label };
  await writeFile(
    packageFile(root, label),
    await buildPackage({ version, sdk: null, productIds: ['A01', 'A02'], manifest }),
  );
}

/** Runs one operation with a deployer; that it had happened already is success. */
async function deploy(
  root: string,
  work: (deployer: Deployer) => Promise<unknown>,
  done?: RunnerErrorCode,
  python?: 'plain' | 'real',
  action?: 'archive',
): Promise<void> {
  await using store = await openStore(root, python, action);
  await work(store.deployer).catch((error: unknown) => {
    if (!RunnerError.is(error) || error.code !== done) throw error;
  });
}

/** A folder in memory: another file system than that of the temp dir, where there is one. */
const OTHER_DISK = '/dev/shm';

/** Why parts of a store cannot be on file systems of their own here; undefined where they can. */
export const NO_OTHER_DISK = ((): string | undefined => {
  try {
    return statSync(OTHER_DISK).dev === statSync(os.tmpdir()).dev
      ? 'there is one file system alone'
      : undefined;
  } catch {
    return `there is no ${OTHER_DISK}`;
  }
})();

/** Packages, versions and archives lie on another disk than what is under way: whatever leaves `.staging` is copied (EXDEV). */
async function onDisksOfTheirOwn(root: string): Promise<(() => Promise<void>)[]> {
  const algorithms = path.join(storeFolder(root), 'algorithms');
  await mkdir(algorithms, { recursive: true });
  const disk = await mkdtemp(path.join(OTHER_DISK, 'pv-part-'));
  for (const part of ['deployed', 'zips', '.archive']) {
    const [here, there] = [path.join(algorithms, part), path.join(disk, part)];
    if (existsSync(here))
      await cp(here, there, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
    else await mkdir(there);
    await rm(here, { recursive: true, force: true });
    await symlink(there, here);
  }
  return [() => rm(disk, { recursive: true, force: true, maxRetries: 3 })];
}

/** Between the two renames of a forced install: neither version is where it belongs. */
export const OLD_STANDS_ASIDE: FileStepPlan = {
  mode: 'kill',
  at: { call: 'rename', target: path.join('deployed', 'sample', '1.0.0') },
};

const THREE = ['1.0.0 first', '1.1.0 second', '1.2.0 third'];

const UPLOAD: KillScenario = {
  prepare: (root) => addPackage(root, 'first', '1.0.0'),
  operate: (root) =>
    deploy(
      root,
      (deployer) => deployer.install(createReadStream(packageFile(root, 'first'))),
      'already_installed',
    ),
  states: [[], ['1.0.0 first']],
};

const FORCE_INSTALL: KillScenario = {
  prepare: prepareReplacement,
  operate: (root) =>
    deploy(root, (deployer) => deployer.install(packageFile(root, 'second'), { force: true })),
  states: [['1.0.0 first'], ['1.0.0 second']],
};

export const killScenarios: Record<string, KillScenario> = {
  install: {
    prepare: (root) => addPackage(root, 'first', '1.0.0'),
    operate: (root) =>
      deploy(root, (deployer) => deployer.install(packageFile(root, 'first')), 'already_installed'),
    states: [[], ['1.0.0 first']],
  },
  'install-with-python': {
    prepare: async (root) => {
      const manifest = { description: 'first' };
      await writeFile(packageFile(root, 'first'), await buildPackage({ manifest }));
    },
    operate: (root) =>
      deploy(root, (deployer) => deployer.install(packageFile(root, 'first')), 'already_installed', 'real'),
    states: [[], ['1.0.0 first']],
  },
  upload: UPLOAD,
  'force-install': FORCE_INSTALL,
  'force-install, each part on a disk of its own': { ...FORCE_INSTALL, place: onDisksOfTheirOwn },
  'upload, each part on a disk of its own': { ...UPLOAD, place: onDisksOfTheirOwn },
  'archive, each part on a disk of its own': {
    prepare: prepareThree,
    place: onDisksOfTheirOwn,
    operate: (root) => deploy(root, (deployer) => deployer.prune(), undefined, 'plain', 'archive'),
    states: [THREE, ['1.0.0 first', '1.2.0 third'], ['1.2.0 third']],
  },
  recover: {
    prepare: async (root) => {
      await prepareReplacement(root);
      await runChild('force-install', root, OLD_STANDS_ASIDE);
    },
    operate: (root) => deploy(root, (deployer) => deployer.recover()),
    states: [['1.0.0 first']],
  },
  uninstall: {
    prepare: async (root) => {
      await addPackage(root, 'first', '1.0.0');
      await deploy(root, (deployer) => deployer.install(packageFile(root, 'first')));
    },
    operate: (root) => deploy(root, (deployer) => deployer.uninstall('sample', '1.0.0'), 'not_found'),
    states: [['1.0.0 first'], []],
  },
  prune: {
    prepare: prepareThree,
    operate: (root) => deploy(root, (deployer) => deployer.prune()),
    states: [THREE, ['1.0.0 first', '1.2.0 third'], ['1.2.0 third']],
  },
  activate: {
    prepare: prepareThree,
    operate: (root) =>
      remap(root, (registry) =>
        registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01', 'A02'] }),
      ),
    states: [THREE, [...THREE, 'A01 -> 1.0.0', 'A02 -> 1.0.0']],
  },
  switch: {
    prepare: prepareActive,
    operate: (root) =>
      remap(root, (registry) =>
        registry.switch({ name: 'sample', version: '1.2.0', productIds: ['A01', 'A02'] }),
      ),
    states: [
      [...THREE, 'A01 -> 1.1.0', 'A02 -> 1.1.0'],
      [...THREE, 'A01 -> 1.2.0', 'A02 -> 1.2.0'],
    ],
  },
  rollback: {
    prepare: prepareActive,
    operate: (root) =>
      remap(root, async (registry, { A01 }) => {
        if (A01?.version === '1.1.0') await registry.rollback({ productId: 'A01' });
      }),
    states: [
      [...THREE, 'A01 -> 1.1.0', 'A02 -> 1.1.0'],
      [...THREE, 'A01 -> 1.0.0', 'A02 -> 1.1.0'],
    ],
  },
  deactivate: {
    prepare: prepareActive,
    operate: (root) =>
      remap(root, async (registry, { A01 }) => {
        if (A01) await registry.deactivate({ productIds: ['A01', 'A02'] });
      }),
    states: [[...THREE, 'A01 -> 1.1.0', 'A02 -> 1.1.0'], THREE],
  },
};

/** Runs one change of the mappings; it must say itself when it has happened already. */
async function remap(
  root: string,
  work: (registry: Registry, active: Record<string, ActiveMapping>) => Promise<unknown>,
): Promise<void> {
  await using registry = await Registry.open(storeFolder(root), OPTIONS);
  await work(registry, await registry.active());
}

/** Three versions, of which the first two served A01 and A02 one after the other. */
async function prepareActive(root: string): Promise<void> {
  await prepareThree(root);
  const pids = ['A01', 'A02'];
  await remap(root, (registry) => registry.activate({ name: 'sample', version: '1.0.0', productIds: pids }));
  await remap(root, (registry) => registry.switch({ name: 'sample', version: '1.1.0', productIds: pids }));
}

async function prepareReplacement(root: string): Promise<void> {
  await addPackage(root, 'first', '1.0.0');
  await addPackage(root, 'second', '1.0.0');
  await deploy(root, (deployer) => deployer.install(packageFile(root, 'first')));
}

async function prepareThree(root: string): Promise<void> {
  const labels = ['first', 'second', 'third'];
  for (const [index, label] of labels.entries()) {
    await addPackage(root, label, `1.${index}.0`);
    await deploy(root, (deployer) => deployer.install(packageFile(root, label)));
  }
}
