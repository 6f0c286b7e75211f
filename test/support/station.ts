import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { AlgorithmSupervisor, Deployer, Registry, type SupervisorPolicy } from '../../src/index.js';
import { buildPackage, type PackageSource } from '../../src/testing/index.js';
import { temporaryFolder } from './temp-folder.js';

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
  const root = path.join(await temporaryFolder(), 'station');
  const registry = await Registry.open(root);
  const deployer = new Deployer({ registry });
  const supervisor = new AlgorithmSupervisor({ registry, policy: options.policy });
  onTestFinished(async () => {
    await supervisor.close();
    await deployer.close();
    await registry.close();
  });
  const deliver = async (source: PackageSource = {}) => {
    const { zips } = registry.layout;
    await mkdir(zips, { recursive: true });
    const file = path.join(zips, `${source.name ?? 'sample'}-v${source.version ?? '1.0.0'}-offline.zip`);
    await writeFile(file, await buildPackage(source));
    return file;
  };
  return { root, registry, deployer, supervisor, deliver };
}

/** Every file and folder below, as sorted relative paths. */
export async function filesBelow(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).sort();
}
