import { pythonIn } from '../../python/environments/environment-paths.js';
import type { RegistryEntry } from '../../registry/types.js';
import type { StoreLayout } from '../../store/layout.js';
import type { WorkerFlavour, WorkerSpec } from '../../worker/types.js';
import { deviceVariables } from './device-variables.js';
import type { SupervisorPolicy } from '../policy.js';

/** What a worker of a deployed version runs: its folder, its interpreter, its entry point. */
export function workerSpecOf(
  layout: StoreLayout,
  entry: RegistryEntry,
  options: {
    frameDirectory: string;
    flavour: WorkerFlavour;
    policy: Readonly<SupervisorPolicy>;
    workers: number;
  },
): WorkerSpec {
  const { name, version, generation, entry_point: entryPoint } = entry;
  const { frameDirectory, flavour, policy, workers } = options;
  return {
    name,
    version,
    root: layout.deployed(name, version),
    python: pythonIn(layout.venv(name, version)),
    entryPoint,
    frameDirectory,
    flavour,
    generation,
    env: {
      ...deviceVariables(policy, workers),
      ...policy.env,
      ...(policy.setupErrors === 'warn' && { PROCVISION_SETUP_ERRORS: 'warn' }),
    },
    resources: policy.resources,
    store: { root: layout.root, versions: layout.algorithms },
    network: policy.network,
    namespaces: policy.namespaces,
    oomScoreAdj: policy.oomScoreAdj,
    uid: policy.uid,
    gid: policy.gid,
  };
}
