import { RunnerError } from '../../errors.js';
import { pythonIn } from '../../python/environments/environment-paths.js';
import type { RegistryEntry } from '../../registry/types.js';
import type { StoreLayout } from '../../store/layout.js';
import type { WorkerFlavour, WorkerSpec } from '../../worker/types.js';
import type { SupervisorPolicy } from '../policy.js';

/**
 * What a worker of a deployed version runs: its folder, its interpreter, its entry point.
 * @throws RunnerError `start_failed` for a `worker_command` that is none
 */
export function workerSpecOf(
  layout: StoreLayout,
  entry: RegistryEntry,
  options: { frameDirectory: string; flavour: WorkerFlavour; policy: Readonly<SupervisorPolicy> },
): WorkerSpec {
  const { name, version, entry_point: entryPoint } = entry;
  const { frameDirectory, flavour, policy } = options;
  return {
    name,
    version,
    root: layout.deployed(name, version),
    python: pythonIn(layout.venv(name, version)),
    entryPoint,
    frameDirectory,
    flavour,
    command: commandOf(entry),
    env: { ...policy.env },
    resources: policy.resources,
    store: { root: layout.root, versions: layout.algorithms },
    network: policy.network,
    namespaces: policy.namespaces,
    oomScoreAdj: policy.oomScoreAdj,
    uid: policy.uid,
    gid: policy.gid,
  };
}

/** The entry comes from a file: its type is a hope. */
function commandOf({ name, version, worker_command: command }: RegistryEntry): string[] | undefined {
  const given: unknown = command;
  if (given === undefined) return undefined;
  const isCommand =
    Array.isArray(given) && given.length > 0 && given.every((part) => typeof part === 'string');
  if (isCommand) return given;
  throw new RunnerError(
    'start_failed',
    `The worker_command of ${name} ${version} in registry.json must be a list of a program and its arguments. Remove it to run the version by its interpreter`,
  );
}
