import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { AlgorithmSupervisor, Registry, SupervisorPolicy, WorkerFlavour } from '../../src/index.js';
import { steeredAlgorithm } from '../../test/support/steered-algorithm.js';
import type { BenchContext } from '../harness/case.js';

export interface Station {
  registry: Registry;
  supervise: (policy?: Partial<SupervisorPolicy>, worker?: WorkerFlavour) => AlgorithmSupervisor;
}

const PIDS = ['A', 'K1', 'K2', 'K3'];

/** A picture as small as a call can have. */
export const SMALL_IMAGE = { data: new Uint8Array(64 * 48 * 3).fill(50), width: 64, height: 48 };

export const SAMPLE = { name: 'sample', version: '1.0.0' };

/** A store with versions of the steered algorithm in it, closed at the end of the case. */
export async function openStation(context: BenchContext, versions: string[] = ['1.0.0']): Promise<Station> {
  const { main, testing } = context.library;
  const registry = await main.Registry.open(path.join(context.folder, 'station'), { durability: 'none' });
  context.onClose(() => registry.close());
  const deployer = new main.Deployer({ registry });
  for (const version of versions) {
    const files = {
      'algorithm/__init__.py': '',
      'algorithm/main.py': steeredAlgorithm()
        .replace('"1.0.0"', JSON.stringify(version))
        .replace('["A01"]', '["A", "K1", "K2", "K3"]'),
    };
    const zip = path.join(context.folder, `sample-v${version}-offline.zip`);
    await writeFile(zip, await testing.buildPackage({ version, pids: PIDS, files }));
    await deployer.install(zip);
  }
  await deployer.close();
  return {
    registry,
    supervise: (policy, worker) => {
      const supervisor = new main.AlgorithmSupervisor({ registry, policy, worker });
      context.onClose(() => supervisor.close());
      return supervisor;
    },
  };
}
