import { execFileSync } from 'node:child_process';
import { mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import type { Generation } from '../../src/package/types.js';
import { Registry } from '../../src/registry/registry.js';
import type { RegistryEntry } from '../../src/registry/types.js';
import {
  AlgorithmSupervisor,
  type AlgorithmSupervisorOptions,
} from '../../src/supervisor/algorithm-supervisor.js';
import { sampleAlgorithm } from '../../src/testing/index.js';
import { algorithmFolder } from './algorithm-folder.js';
import { temporaryFolder } from './temp-folder.js';

/** A version to put into a store, without a package and an environment of its own: quick, for tests above those. */
export interface DeployedSource {
  name?: string;
  version?: string;
  generation?: Generation;
  pids?: string[];
  /** Whether the adapter has the `info` phase. @defaultValue true */
  infoPhase?: boolean;
  /** Source of `main.py` with its class `Algorithm`. @defaultValue {@link sampleAlgorithm} */
  source?: string;
}

let executable: string | undefined;

/** The interpreter behind `python3`, which may be a shell script that looks for it. */
function python(): string {
  return (executable ??= execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], {
    encoding: 'utf8',
  }).trim());
}

/** Puts a version into the store and lists it in the registry. */
export async function deployVersion(registry: Registry, o: DeployedSource = {}): Promise<RegistryEntry> {
  const { name = 'sample', version = '1.0.0', generation = 'phased' } = o;
  const pids = o.pids ?? (generation === 'phased' ? ['A01'] : []);
  const source = o.source ?? sampleAlgorithm({ generation, name, version, pids });
  const { root } = await algorithmFolder(source, { generation });
  const target = registry.layout.deployed(name, version);
  await mkdir(path.dirname(target), { recursive: true });
  await rename(root, target);
  if (o.infoPhase === false) {
    const adapter = path.join(target, 'procvision_algorithm_sdk', 'adapter', '__main__.py');
    const text = await readFile(adapter, 'utf8');
    await writeFile(adapter, text.replace('INFO_PHASE = True', 'INFO_PHASE = False'));
  }
  const manifest = { name, version, entry_point: 'main:Algorithm', supported_pids: pids };
  await writeFile(path.join(target, 'manifest.json'), JSON.stringify(manifest));
  const bin = path.join(registry.layout.venv(name, version), 'bin');
  await mkdir(bin, { recursive: true });
  await symlink(python(), path.join(bin, 'python'));
  const entry: RegistryEntry = {
    name,
    version,
    supported_pids: pids,
    state: 'deployed',
    created_at: new Date().toISOString(),
    entry_point: 'main:Algorithm',
    generation,
  };
  await registry.register(entry);
  return entry;
}

/** A registry and a supervisor over it, closed when the test ends. */
export async function openSupervised(
  options: Omit<AlgorithmSupervisorOptions, 'registry'> = {},
): Promise<{ registry: Registry; supervisor: AlgorithmSupervisor }> {
  const registry = await Registry.open(await temporaryFolder(), { durability: 'none' });
  const supervisor = new AlgorithmSupervisor({ registry, ...options });
  onTestFinished(async () => {
    await supervisor.close();
    await registry.close();
  });
  return { registry, supervisor };
}
