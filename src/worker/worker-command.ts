import { randomUUID } from 'node:crypto';
import { assetPath } from '../assets.js';
import { pythonEnvironment } from '../process/environment.js';
import type { WorkerLimits, WorkerSpec } from './types.js';

/** Marks every process that a worker starts: it is inherited through the environment. */
export const TOKEN_VARIABLE = 'PROCVISION_WORKER';

/** How a worker is started. */
export interface WorkerCommand {
  command: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  token: string;
}

/**
 * Command and environment of a worker process (deployment specification: `python -m procvision_algorithm_sdk.adapter
 * --entry module:Class`). On POSIX a launcher runs that module in the same process, with a watcher beside it that
 * lets nothing outlive the host.
 */
export function workerCommand(
  spec: WorkerSpec,
  limits: WorkerLimits,
  platform: NodeJS.Platform = process.platform,
): WorkerCommand {
  const token = randomUUID();
  const env = pythonEnvironment({
    ...spec.env,
    PROC_ENV: 'prod',
    PROC_ALGO_ROOT: spec.root,
    PROC_SHM_DIR: spec.frameDirectory,
    PROC_ENTRY_POINT: spec.entryPoint,
    PROC_HEARTBEAT_INTERVAL_MS: String(limits.heartbeatIntervalMs),
    PROC_HEARTBEAT_GRACE_MS: String(limits.heartbeatGraceMs),
    [TOKEN_VARIABLE]: token,
    ...(spec.resources && { PROCVISION_LIMITS: JSON.stringify(resourceLimits(spec)) }),
  });
  const entry = ['--entry', spec.entryPoint];
  const adapter =
    spec.flavour === 'bundled'
      ? { script: assetPath('worker/bundled/main.py') }
      : { module: 'procvision_algorithm_sdk.adapter' };
  if (platform === 'win32') {
    const start = adapter.module === undefined ? [adapter.script] : ['-m', adapter.module];
    return { command: spec.python, args: [...start, ...entry], env, token };
  }
  const launcher = assetPath('worker/launch.py');
  const target = adapter.module ?? adapter.script;
  return { command: spec.python, args: [launcher, String(process.pid), target, ...entry], env, token };
}

function resourceLimits({ resources = {} }: WorkerSpec): Record<string, number | undefined> {
  return {
    address_space_bytes: resources.addressSpaceBytes,
    open_files: resources.openFiles,
    nice: resources.nice,
  };
}
