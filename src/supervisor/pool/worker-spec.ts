import { readdir } from 'node:fs/promises';
import { libraries, pythonIn } from '../../python/environments/environment-paths.js';
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

const lookedUp = new WeakMap<RegistryEntry, Promise<boolean>>();

/**
 * Whether a version has Pillow: without it the SDK turns an encoded picture into a black one, and says nothing. Looked up once
 * where the trial run has not told it.
 */
export function hasPillow(layout: StoreLayout, entry: RegistryEntry): Promise<boolean> {
  if (entry.has_pillow === true) return Promise.resolve(true);
  const known = lookedUp.get(entry) ?? hasPillowIn(layout.venv(entry.name, entry.version));
  lookedUp.set(entry, known);
  return known;
}

async function hasPillowIn(venv: string): Promise<boolean> {
  for (const library of await libraries(venv)) {
    const installed = await readdir(library).catch(() => []);
    if (installed.some((name) => name.toLowerCase() === 'pil')) return true;
  }
  return false;
}
