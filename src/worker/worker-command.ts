import { assetPath } from '../assets.js';
import { REPORT_DESCRIPTOR } from '../process/containment.js';
import { pythonEnvironment } from '../process/environment.js';
import { launch } from '../process/launch.js';
import { standInFor } from './stand-ins.js';
import type { WorkerLimits, WorkerSpec } from './types.js';

/** Marks every process that a worker starts: it is inherited through the environment. */
export const TOKEN_VARIABLE = 'PROCVISION_WORKER';

/**
 * By default glibc hands memory of an image's size back to the system when it is freed, and takes it anew, page by
 * page, for the next image: half of the time of a call with two images of 6.9 MB. A worker keeps up to this much
 * instead (mallopt(3): the two go together, and the first can be no more than 32 MiB). Other C libraries ignore it.
 */
const KEEP_FREED_MEMORY = {
  MALLOC_MMAP_THRESHOLD_: String(32 * 2 ** 20),
  MALLOC_TRIM_THRESHOLD_: String(128 * 2 ** 20),
};

/** Number of the worker's end of its {@link DescriptorChannel}, for what starts the worker; taken out of the environment. */
const CHANNEL_VARIABLE = 'PROCVISION_PICTURES';
/** The one before it is left to the launcher. */
const CHANNEL_DESCRIPTOR = 4;

/** How a worker is started. */
export interface WorkerCommand {
  command: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  token: string;
  /** Whether the program keeps the worker in its bounds, and reports on them. */
  isKept: boolean;
  /** What to start the program as; a launcher of root changes the worker's user itself, and stays out of its reach. */
  user: { uid?: number; gid?: number };
}

/**
 * Command and environment of a worker process (deployment specification: `python -m procvision_algorithm_sdk.adapter
 * --entry module:Class`). A launcher runs that module with the pipes of the protocol out of the algorithm's reach, in
 * bounds that are in force before anything of the package is in its reach; on POSIX it stays outside as its keeper. A
 * program of the test kit that stands in for it is run as it is.
 *
 * `serves`: the process is to be a fork server for such workers (fork_server.py).
 */
export function workerCommand(
  spec: WorkerSpec,
  limits: WorkerLimits,
  {
    hasChannel = false,
    serves = false,
    platform = process.platform,
  }: { hasChannel?: boolean; serves?: boolean; platform?: NodeJS.Platform } = {},
): WorkerCommand {
  const token = crypto.randomUUID();
  const env = pythonEnvironment({
    ...KEEP_FREED_MEMORY,
    ...spec.env,
    PROC_ENV: 'prod',
    PROC_ALGO_ROOT: spec.root,
    PROC_SHM_DIR: spec.frameDirectory,
    PROC_ENTRY_POINT: spec.entryPoint,
    PROC_HEARTBEAT_INTERVAL_MS: String(limits.heartbeatIntervalMs),
    PROC_HEARTBEAT_GRACE_MS: String(limits.heartbeatGraceMs),
    [TOKEN_VARIABLE]: token,
    ...(hasChannel && { [CHANNEL_VARIABLE]: String(CHANNEL_DESCRIPTOR) }),
  });
  const { uid, gid } = spec;
  const common = { env, token, user: { uid, gid } };
  const program = standInFor(spec.root);
  if (program) {
    const [command = '', ...args] = program;
    return { ...common, command, args, isKept: false };
  }
  const entry = ['--entry', spec.entryPoint];
  const adapter =
    spec.flavour === 'bundled'
      ? { script: assetPath('worker/bundled/main.py') }
      : { module: 'procvision_algorithm_sdk.adapter' };
  const launcher = assetPath('worker/launch.py');
  const target = adapter.module ?? adapter.script;
  if (platform === 'win32') {
    const start = launch(spec.python, launcher, [target, ...entry], {
      root: spec.root,
      limits: resourceLimits(spec),
      ...(spec.resources?.scratchBytes !== undefined && {
        scratch: { bytes: spec.resources.scratchBytes },
      }),
    });
    return { ...common, ...start, isKept: false };
  }
  const isRoot = process.getuid?.() === 0;
  const start = launch(spec.python, launcher, [target, ...entry], {
    report: REPORT_DESCRIPTOR,
    root: spec.root,
    frames: spec.frameDirectory,
    store: spec.store?.root,
    hidden: spec.store?.versions,
    namespaces: spec.namespaces !== 'off',
    network: spec.network,
    insist: true,
    ...(serves && { serve: true }),
    oomScoreAdj: spec.oomScoreAdj,
    limits: resourceLimits(spec),
    scratch: { bytes: spec.resources?.scratchBytes, kept: Object.keys(spec.env ?? {}) },
    ...(isRoot && { uid, gid }),
  });
  return { ...common, ...start, isKept: true, user: isRoot ? {} : { uid, gid } };
}

function resourceLimits({ resources = {} }: WorkerSpec): Record<string, number | undefined> {
  return {
    address_space_bytes: resources.addressSpaceBytes,
    open_files: resources.openFiles,
    nice: resources.nice,
    cpus: resources.cpus,
    processes: resources.processes,
  };
}
