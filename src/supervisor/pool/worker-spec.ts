import { readdir } from 'node:fs/promises';
import path from 'node:path';
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

/** Whether an environment has Pillow: without it the SDK turns an encoded image into a black one, and says nothing. */
export async function hasPillow(
  venv: string,
  platform: NodeJS.Platform = process.platform,
): Promise<boolean> {
  const libraries =
    platform === 'win32'
      ? [path.join(venv, 'Lib')]
      : (await readdir(path.join(venv, 'lib')).catch(() => [])).map((name) => path.join(venv, 'lib', name));
  for (const library of libraries) {
    const installed = await readdir(path.join(library, 'site-packages')).catch(() => []);
    if (installed.some((name) => name.toLowerCase() === 'pil')) return true;
  }
  return false;
}
