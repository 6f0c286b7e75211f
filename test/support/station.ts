import { readdir } from 'node:fs/promises';
import { onTestFinished } from 'vitest';
import type { AlgorithmSupervisor, Deployer, Registry, SupervisorPolicy } from '../../src/index.js';
import { TemporaryStore, type PackageSource } from '../../src/testing/index.js';
import { patient } from './patient.js';

/** A store with everything composed over it; closed when the test ends. */
export interface Station {
  root: string;
  registry: Registry;
  deployer: Deployer;
  supervisor: AlgorithmSupervisor;
  /** Writes a package into `zips/` and gives its path. */
  deliver: (source?: PackageSource) => Promise<string>;
}

export async function openStation(options: { policy?: Partial<SupervisorPolicy> } = {}): Promise<Station> {
  const store = await TemporaryStore.open({ durability: 'full' });
  onTestFinished(() => store.close());
  return {
    root: store.root,
    registry: store.registry,
    deployer: store.deployer(),
    supervisor: store.supervise({ policy: patient(options.policy) }),
    deliver: (source) => store.deliver(source),
  };
}

/** Every file and folder below, as sorted relative paths. */
export async function filesBelow(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).sort();
}
