import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Deployer } from '../../src/deploy/deployer.js';
import { Registry } from '../../src/registry/registry.js';
import { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';
import type { SupervisorPolicy } from '../../src/supervisor/policy.js';
import type { WorkerFlavour } from '../../src/worker/types.js';
import { buildPackage } from '../../src/testing/index.js';
import { steeredAlgorithm } from '../../test/support/steered-algorithm.js';

export interface Station {
  registry: Registry;
  supervise: (policy?: Partial<SupervisorPolicy>, worker?: WorkerFlavour) => AlgorithmSupervisor;
}

/** A store with versions of the steered algorithm in it. */
export async function withStation<T>(versions: string[], work: (station: Station) => Promise<T>): Promise<T> {
  const root = await mkdtemp(path.join(os.tmpdir(), 'bench-supervisor-'));
  const registry = await Registry.open(root, { durability: 'none' });
  const deployer = new Deployer({ registry });
  const supervisors: AlgorithmSupervisor[] = [];
  try {
    for (const version of versions) {
      const files = {
        'algorithm/__init__.py': '',
        'algorithm/main.py': steeredAlgorithm()
          .replace('"1.0.0"', JSON.stringify(version))
          .replace('["A01"]', '["A", "K1", "K2"]'),
      };
      const zip = path.join(root, `sample-v${version}-offline.zip`);
      await writeFile(zip, await buildPackage({ version, pids: ['A', 'K1', 'K2'], files }));
      await deployer.install(zip);
    }
    return await work({
      registry,
      supervise: (policy, worker) => {
        const supervisor = new AlgorithmSupervisor({ registry, policy, worker });
        supervisors.push(supervisor);
        return supervisor;
      },
    });
  } finally {
    await Promise.all(supervisors.map((supervisor) => supervisor.close()));
    await deployer.close();
    await registry.close();
    await rm(root, { recursive: true, force: true, maxRetries: 3 });
  }
}
