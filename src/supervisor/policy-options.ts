import type { AnswerRules } from './calls/result-contract.js';
import type { ProofPolicy } from '../frames/proof.js';
import type { RestartOptions } from './pool/restart-policy.js';
import {
  choice,
  duration,
  flag,
  group,
  number,
  option,
  strings,
  whole,
  type Option,
  type Shape,
} from '../options.js';
import { ownFiles } from '../python/options.js';
import { MAX_FRAME_CEILING } from '../worker/frame-codec.js';
import type { WorkerFlavour, WorkerLimits, WorkerResources } from '../worker/types.js';

/** How deployments are supervised. Times that the worker protocol's specification gives are its defaults. */
export interface SupervisorPolicy extends RestartOptions {
  /** Workers of a deployment that is started without saying how many. @defaultValue 1 */
  workers: number;
  /** Workers kept ready beyond that, to replace a worker that fails. @defaultValue 0 */
  warmSpares: number;
  /** Calls of one deployment that may wait for a worker; the next one is `queue_full`. @defaultValue 64 */
  maxQueue: number;
  /** Whether a call starts the deployment it needs. Otherwise it is `not_initialized` before `start()`. @defaultValue true */
  lazyStart: boolean;

  /** Limit of `preExecute`, from the request to the answer. @defaultValue 3_000 */
  preTimeoutMs: number;
  /** Limit of `execute`, from the request to the answer. @defaultValue 5_000 */
  executeTimeoutMs: number;
  /** Limit of `info` and `reset`. @defaultValue 5_000 */
  infoTimeoutMs: number;
  /**
   * Limit of one attempt. Without it an attempt may take what is left of the call's time, so that a timeout leaves
   * none for another. @defaultValue none
   */
  attemptTimeoutMs: number | undefined;

  /** Further attempts of a call that failed. @defaultValue 2 */
  retries: number;
  /** Retry a call whose attempt timed out. Has an effect only with `attemptTimeoutMs`, and is refused without. @defaultValue true with `attemptTimeoutMs` */
  retryTimeouts: boolean;
  /** Retry a call whose worker left, or lost its heartbeat. @defaultValue true */
  retryCrashes: boolean;
  /** `error_code`s of an algorithm that are worth another attempt. @defaultValue none: the two tables in use disagree */
  recoverableCodes: readonly string[];
  /** Python exceptions worth another attempt; only the bundled worker names them. @defaultValue `RecoverableError`, `GPUOutOfMemoryError` */
  recoverableExceptions: readonly string[];
  /**
   * Python exceptions after which a worker is not to be called again; only the bundled worker names them. The answer is
   * passed on and not retried, and a fresh process takes the place. @defaultValue `FatalError`
   */
  fatalExceptions: readonly string[];

  /** A worker that stood this long without failing has proven itself. @defaultValue 10_000 */
  stableMs: number;
  /** Replace a worker after so many calls. @defaultValue never */
  recycleAfterCalls: number | undefined;
  /** Replace a worker whose resident memory has grown past this (Linux). @defaultValue never */
  recycleAboveBytes: number | undefined;

  /**
   * How it is made sure that a verdict is about the picture that was sent. The worker reports the size, the generation and a
   * checksum of what it read: of 32 places (`sampled`), a CRC-32 of every byte (`full`), or a SHA-256; the host passes on
   * no verdict on anything else. `off` asks for nothing. @defaultValue 'sampled'
   */
  proof: ProofPolicy;

  /**
   * What happens to an answer that breaks a rule of the contract: it is refused as `contract_violation`, passed on with a
   * warning, or cut to the contract with a warning. @defaultValue refused; scores that are no numbers: reported
   */
  answers: Partial<AnswerRules>;
  /**
   * Whether the parameters of a call are held against those that its step declares before a worker sees them: `pass` hands
   * them over as they come, with those that are kept for the product id. @defaultValue 'check'
   */
  parameters: 'check' | 'pass';

  /** Limits of a worker by themselves: hello, load, shutdown, heartbeat, largest frame. */
  limits: Partial<WorkerLimits>;
  /**
   * Limits on what a worker may take, applied before the algorithm's code runs. What has no effect on this system is named in
   * `bounds.missing` of each worker. @defaultValue none
   */
  resources: WorkerResources | undefined;
  /**
   * User that workers run as (POSIX; the host must have the right to, as root has). It must be able to read the store, the
   * interpreter and this library. A `FramePool` that is handed over must have the same `gid`.
   * @defaultValue the host's own
   */
  uid: number | undefined;
  /** Group that workers run as. @defaultValue `uid`, where that is given */
  gid: number | undefined;
  /**
   * `none`: workers have no network but a loopback of their own (Linux namespaces; where the system gives none, a start
   * fails and says so). @defaultValue 'host'
   */
  network: 'host' | 'none';
  /**
   * Whether workers get namespaces where the system gives them (Linux): then nothing of them outlives them, and shared
   * memory and files of their own go with them. `off` is for what must share memory with other processes of the machine.
   * @defaultValue 'auto'
   */
  namespaces: 'auto' | 'off';
  /**
   * How far before others the kernel kills a worker when memory runs out, from 0 to 1000 (Linux, `oom_score_adj`).
   * A worker that has a higher one from its host keeps that. @defaultValue 500
   */
  oomScoreAdj: number;
  /**
   * Threads that numeric libraries of a worker use (OpenMP, OpenBLAS, MKL, OpenCV …, by their variables): `auto` is the
   * worker's share of the cores where a version has more than one worker; `package` leaves it to the libraries.
   * @defaultValue 'auto'
   */
  threads: 'auto' | 'package' | number;
  /**
   * Devices (GPUs) that workers see, as `nvidia-smi -L` numbers or names them: `CUDA_VISIBLE_DEVICES` and
   * `HIP_VISIBLE_DEVICES`. An empty list hides all. @defaultValue all
   */
  devices: readonly (string | number)[] | undefined;
  /** Variables added to the allow-listed environment of workers. @defaultValue none */
  env: Readonly<Record<string, string>>;
  /** What an exception in an algorithm's `setup()` is: a failed start, or a traceback in the log. @defaultValue 'fail' */
  setupErrors: 'fail' | 'warn';
  /**
   * Whether workers are forked from a process that has imported what the version imports, where that is known to be sound and
   * worth it (Linux, versions with NumPy). It is found out by a trial call beside the first workers, once for each deployed
   * version; `status()` tells. @defaultValue 'auto'
   */
  warmStart: 'auto' | 'off';
  /** After so long without a worker forked from it, that process ends, in milliseconds. @defaultValue 600_000 */
  idleServerMs: number;
}

const MOST_THREADS = 1_024;
/** Name of a device, such as `GPU-3f2a…`. */
const DEVICE = /^[A-Za-z0-9_:./-]+$/;

/** The one above it stands for "none" in system calls. */
const LARGEST_ID = 0xffff_fffe;

/** What an operator may set for one version: whatever is given comes before the supervisor's own policy. */
export interface VersionPolicy extends Partial<SupervisorPolicy> {
  /** Adapter that runs it. @defaultValue that of the supervisor */
  worker?: WorkerFlavour;
  /**
   * Names of files of its wheels, such as `*.bin`, that the version has a copy or a clone of, never a second name of one file. In
   * force when it is installed again (`force`), or restored. @defaultValue as the version was installed
   */
  ownFiles?: readonly string[];
}

/** The rules of a supervisor's policy: least and most of each number, and what else each option must be. */
export function policyOptions(): Option<Partial<SupervisorPolicy> | undefined> {
  return group<Partial<SupervisorPolicy>>(policyShape());
}

/** The same for one version. */
export function versionPolicyShape(): Shape<VersionPolicy> {
  return { ...policyShape(), worker: choice('sdk', 'bundled'), ownFiles: ownFiles() };
}

function policyShape(): Shape<Partial<SupervisorPolicy>> {
  return {
    workers: whole(1, 1_024),
    warmSpares: whole(0, 1_024),
    maxQueue: whole(0, 1_000_000),
    lazyStart: flag(),
    preTimeoutMs: duration(1),
    executeTimeoutMs: duration(1),
    infoTimeoutMs: duration(1),
    attemptTimeoutMs: duration(1),
    retries: whole(0, 100),
    retryTimeouts: flag(),
    retryCrashes: flag(),
    recoverableCodes: strings(),
    recoverableExceptions: strings(),
    fatalExceptions: strings(),
    maxRestarts: whole(0, 1_000_000),
    maxCrashes: whole(1, 1_000_000),
    crashWindowMs: duration(1),
    backoffMs: duration(),
    maxBackoffMs: duration(),
    backoffJitter: number(0, 1),
    coolDownMs: duration(),
    stableMs: duration(1),
    recycleAfterCalls: whole(1),
    recycleAboveBytes: whole(1),
    proof: choice('sampled', 'full', 'sha256', 'off'),
    answers: group<Partial<AnswerRules>>({
      manyRects: choice('refuse', 'report', 'truncate'),
      rectsOutside: choice('refuse', 'report', 'truncate'),
      ngWithoutReason: choice('refuse', 'report'),
      scores: choice('refuse', 'report'),
    }),
    parameters: choice('check', 'pass'),
    limits: limits(),
    resources: resources(),
    uid: whole(0, LARGEST_ID),
    gid: whole(0, LARGEST_ID),
    network: choice('host', 'none'),
    namespaces: choice('auto', 'off'),
    oomScoreAdj: whole(0, 1_000),
    setupErrors: choice('fail', 'warn'),
    threads: option('threads', "must be 'auto', 'package' or a whole number from 1 to 1024", isThreads, {
      oneOf: [{ enum: ['auto', 'package'] }, { type: 'integer', minimum: 1, maximum: MOST_THREADS }],
    }),
    devices: option('devices', 'must be a list of numbers from 0 or of names of devices', isDevices, {
      type: 'array',
      items: {
        oneOf: [
          { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
          { type: 'string', pattern: DEVICE.source },
        ],
      },
    }),
    warmStart: choice('auto', 'off'),
    idleServerMs: duration(1),
    env: option('environment', 'must be an object of strings', isEnvironment, {
      type: 'object',
      additionalProperties: { type: 'string' },
    }),
  };
}

function limits() {
  return group<Partial<WorkerLimits>>({
    helloMs: duration(1),
    loadMs: duration(1),
    preMs: duration(1),
    executeMs: duration(1),
    infoMs: duration(1),
    shutdownMs: duration(1),
    heartbeatIntervalMs: duration(1),
    heartbeatGraceMs: duration(1),
    maxFrameBytes: whole(1, MAX_FRAME_CEILING),
  });
}

function resources() {
  return group<WorkerResources>({
    addressSpaceBytes: whole(1),
    openFiles: whole(1, 0x7fff_ffff),
    nice: whole(-20, 19),
    scratchBytes: whole(2 ** 20),
    cpus: number(0.01, 1_024),
    processes: whole(1, 0x7fff_ffff),
  });
}

function isThreads(value: unknown): boolean {
  if (value === 'auto' || value === 'package') return true;
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MOST_THREADS;
}

/** Numbers, and names as `GPU-3f2a…` or `MIG-…`; a comma would be two of them. */
function isDevices(value: unknown): boolean {
  const isDevice = (one: unknown) =>
    (Number.isSafeInteger(one) && Number(one) >= 0) || (typeof one === 'string' && DEVICE.test(one));
  return Array.isArray(value) && value.every(isDevice);
}

function isEnvironment(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((one) => typeof one === 'string');
}
