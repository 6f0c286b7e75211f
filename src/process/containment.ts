import { randomUUID } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { assetPath } from '../assets.js';
import { ownPidNamespace } from './identity.js';

/** Descriptor that a keeper reports on, beside the three standard ones. */
export const REPORT_DESCRIPTOR = 3;

/** Ask a keeper with this for the end of all it keeps; it then ends as if by SIGKILL (see contain.py). */
export const KILL_SIGNAL = 'SIGUSR2';

/** Ask a keeper with this to pass SIGTERM on. A SIGTERM of its own it ignores: a service manager sends that to every process. */
export const ASK_SIGNAL = 'SIGUSR1';

/** Until a keeper that was asked has to be gone; then it is killed, and the kernel kills what it keeps. */
export const KEEPER_GRACE_MS = 1_000;

/** Default share of the memory that a worker's own files may take. */
export const DEFAULT_SCRATCH_BYTES = 512 * 2 ** 20;

/** Default OOM score of workers and helpers: when memory runs out, the kernel kills them before the host (proc(5)). */
export const DEFAULT_OOM_SCORE_ADJ = 500;

/** What bounds a process is to live in. */
export interface Containment {
  /** Interpreter of the environment that is entered once the bounds are in force. */
  executable?: string;
  /** Descriptor for the report. */
  report?: number;
  /** Working folder. */
  root: string;
  /** Whether `root` is shown read-only; with `store` it is in any case. */
  sealed?: boolean;
  /** Folder of frames, shown read-only. */
  frames?: string;
  /** Shown read-only. */
  store?: string;
  /** Within `store`: shown without anything but `root`. */
  hidden?: string;
  /** Whether to use namespaces where the system gives them. */
  namespaces?: boolean;
  /** `none` takes a namespace. */
  network?: 'host' | 'none';
  /** Whether to refuse to start where `network: 'none'` cannot be had. */
  insist?: boolean;
  /** Whether the process is to fork workers (fork_server.py). */
  serve?: boolean;
  oomScoreAdj?: number;
  /** See bounds.py. */
  limits?: Record<string, number | undefined>;
  /** `kept`: variables that are not to lead there. */
  scratch?: { bytes?: number; kept?: readonly string[] };
  uid?: number;
  gid?: number;
}

/**
 * What holds a process, as its keeper tells (Linux), or its launcher (Windows, where a job object holds what it starts, and
 * no more). On other systems nothing of it is in force.
 */
export interface WorkerBounds {
  /** Whether it has a process namespace, or a job object (Windows): nothing that it starts outlives it, whatever that does. */
  processes: boolean;
  /** Whether the store is read-only to it, with the other versions out of its reach. */
  files: boolean;
  /** Whether shared memory, semaphores and queues are its own and go with it. */
  sharedMemory: boolean;
  /** Whether it has the host's network, or none but its own loopback. */
  network: 'host' | 'none';
  /** Whether it has given up the rights of root and can gain none. */
  capabilities: boolean;
  /** How far before others the kernel kills it when memory runs out. */
  oomScoreAdj?: number;
  /** Its own files: where they are, and how many bytes they may take (without namespaces that is not bounded). */
  scratch?: {
    /** Its absolute path, as the worker sees it. */
    folder: string;
    /** Most that it may hold; null where nothing bounds it. */
    bytes: number | null;
  };
  /** What is not in force, and why. */
  missing: string[];
}

/** The order for `contain.py`. Its `pid_namespace` says where `host` counts, to who reads the command line. */
export function containmentOrder(containment: Containment): Record<string, unknown> {
  const { oomScoreAdj = DEFAULT_OOM_SCORE_ADJ, scratch, ...rest } = containment;
  const { hidden } = rest;
  return {
    host: process.pid,
    pid_namespace: ownPidNamespace(),
    library: path.dirname(assetPath('process')),
    ...rest,
    oom_score_adj: oomScoreAdj,
    ...(scratch && {
      scratch: {
        bytes: scratch.bytes ?? DEFAULT_SCRATCH_BYTES,
        kept: scratch.kept,
        folders: scratchFolders(hidden),
      },
    }),
  };
}

/**
 * Where a worker's own files may lie where no namespace gives it memory, the best first: the store has room, whatever the
 * system's temp dir is like; it may be read-only.
 */
export function scratchFolders(versions: string | undefined): string[] {
  return [...(versions ? [path.dirname(versions)] : []), os.tmpdir()].map((parent) =>
    path.join(parent, `procvision-scratch-${randomUUID()}`),
  );
}

/** Which process is the worker, and what holds it. */
export interface WorkerReport {
  /** Process id, as the host sees it. */
  pid: number;
  /** What is in force, and what is not. */
  bounds: WorkerBounds;
}

/** What a keeper reported: the process it keeps, and its bounds. Undefined for what is no report. */
export function parseReport(line: string): WorkerReport | undefined {
  try {
    return reportOf(JSON.parse(line));
  } catch {
    return undefined;
  }
}

/** The same of what was read already. @throws TypeError for null and undefined */
export function reportOf(value: unknown): WorkerReport {
  const { pid, bounds } = value as { pid: number; bounds: Partial<WorkerBounds> | null };
  return {
    pid,
    bounds: {
      ...{ processes: false, files: false, sharedMemory: false, network: 'host', capabilities: false },
      ...{ missing: [], ...bounds },
    },
  };
}
