import { RunnerError } from '../errors.js';
import { LONGEST_TIMER_MS } from '../longest-timer.js';
import { checkResources, resolveLimits } from '../worker/limits.js';
import type { WorkerLimits, WorkerResources } from '../worker/types.js';
import type { RestartOptions } from './pool/restart-policy.js';

/** How deployments are supervised. Times that the worker protocol's specification gives are its defaults. */
export interface SupervisorPolicy extends RestartOptions {
  /** Workers of a deployment that is started without saying how many. @defaultValue 1 */
  workers: number;
  /** Workers kept ready beyond that, to step in for one that fails. @defaultValue 0 */
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
  /** Retry a call whose attempt timed out. @defaultValue true */
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

  /** Limits of a worker by themselves: hello, load, shutdown, heartbeat, largest frame. */
  limits: Partial<WorkerLimits>;
  /** Limits on what a worker may take, applied before the algorithm's code runs (POSIX). @defaultValue none */
  resources: WorkerResources | undefined;
  /**
   * User that workers run as (POSIX; the host must have the right to, as root has). It must be able to read the store, the
   * interpreter and this library. A `FramePool` that is handed over must have the same `gid`.
   * @defaultValue the host's own
   */
  uid: number | undefined;
  /** Group that workers run as. @defaultValue `uid`, where that is given */
  gid: number | undefined;
  /** Variables added to the allow-listed environment of workers. @defaultValue none */
  env: Readonly<Record<string, string>>;
}

/** What holds unless said otherwise. */
export const DEFAULT_SUPERVISOR_POLICY: Readonly<SupervisorPolicy> = Object.freeze({
  workers: 1,
  warmSpares: 0,
  maxQueue: 64,
  lazyStart: true,
  preTimeoutMs: 3_000,
  executeTimeoutMs: 5_000,
  infoTimeoutMs: 5_000,
  attemptTimeoutMs: undefined,
  retries: 2,
  retryTimeouts: true,
  retryCrashes: true,
  recoverableCodes: [],
  recoverableExceptions: ['RecoverableError', 'GPUOutOfMemoryError'],
  fatalExceptions: ['FatalError'],
  maxRestarts: 3,
  maxCrashes: 5,
  crashWindowMs: 60_000,
  backoffMs: 200,
  maxBackoffMs: 10_000,
  backoffJitter: 0.5,
  coolDownMs: 30_000,
  stableMs: 10_000,
  recycleAfterCalls: undefined,
  recycleAboveBytes: undefined,
  limits: {},
  resources: undefined,
  uid: undefined,
  gid: undefined,
  env: {},
});

/** The one above it stands for "none" in system calls. */
const LARGEST_ID = 0xffff_fffe;

type NumberName = {
  [Name in keyof SupervisorPolicy]: SupervisorPolicy[Name] extends number | undefined ? Name : never;
}[keyof SupervisorPolicy];

/** Least and most of each number; whole unless it is a share. */
const BOUNDS: Record<NumberName, readonly [least: number, most: number]> = {
  workers: [1, 1_024],
  warmSpares: [0, 1_024],
  maxQueue: [0, 1_000_000],
  preTimeoutMs: [1, LONGEST_TIMER_MS],
  executeTimeoutMs: [1, LONGEST_TIMER_MS],
  infoTimeoutMs: [1, LONGEST_TIMER_MS],
  attemptTimeoutMs: [1, LONGEST_TIMER_MS],
  retries: [0, 100],
  maxRestarts: [0, 1_000_000],
  maxCrashes: [1, 1_000_000],
  crashWindowMs: [1, LONGEST_TIMER_MS],
  backoffMs: [0, LONGEST_TIMER_MS],
  maxBackoffMs: [0, LONGEST_TIMER_MS],
  backoffJitter: [0, 1],
  coolDownMs: [0, LONGEST_TIMER_MS],
  stableMs: [1, LONGEST_TIMER_MS],
  recycleAfterCalls: [1, Number.MAX_SAFE_INTEGER],
  recycleAboveBytes: [1, Number.MAX_SAFE_INTEGER],
  uid: [0, LARGEST_ID],
  gid: [0, LARGEST_ID],
};

const LISTS = ['recoverableCodes', 'recoverableExceptions', 'fatalExceptions'] as const;

/**
 * Fills in the defaults.
 * @throws RunnerError `invalid_params` naming the option and its bounds; `unsupported_platform` for `uid` or `gid` on Windows
 */
export function resolvePolicy(
  given: Partial<SupervisorPolicy> = {},
  platform: NodeJS.Platform = process.platform,
): Readonly<SupervisorPolicy> {
  const entries: [string, unknown][] = Object.entries(given);
  const known = Object.fromEntries(entries.filter(([, value]) => value !== undefined));
  const policy: SupervisorPolicy = { ...DEFAULT_SUPERVISOR_POLICY, ...known };
  for (const name of Object.keys(policy)) {
    if (!(name in DEFAULT_SUPERVISOR_POLICY)) {
      throw invalid(name, `there is no option of that name`);
    }
  }
  for (const [name, [least, most]] of Object.entries(BOUNDS) as [NumberName, [number, number]][]) {
    const value = policy[name];
    if (value === undefined) continue;
    const isShare = name === 'backoffJitter';
    if (!(value >= least && value <= most) || (!isShare && !Number.isInteger(value))) {
      throw invalid(
        name,
        `it must be a ${isShare ? '' : 'whole '}number from ${least} to ${most}, not ${value}`,
      );
    }
  }
  for (const name of LISTS) {
    const value: unknown = policy[name];
    if (!Array.isArray(value) || value.some((item) => typeof item !== 'string')) {
      throw invalid(name, `it must be a list of strings, not ${JSON.stringify(value)}`);
    }
  }
  policy.gid ??= policy.uid;
  if (platform === 'win32' && policy.gid !== undefined) {
    throw new RunnerError(
      'unsupported_platform',
      'Windows cannot run workers as another user by number: leave out uid and gid, and run the host as that user',
    );
  }
  checkResources(policy.resources);
  policy.limits = resolveLimits({
    ...policy.limits,
    preMs: policy.preTimeoutMs,
    executeMs: policy.executeTimeoutMs,
    infoMs: policy.infoTimeoutMs,
  });
  return Object.freeze(policy);
}

function invalid(name: string, message: string): RunnerError {
  return new RunnerError('invalid_params', `The supervisor policy's ${name} cannot be used: ${message}`, {
    details: { path: name },
  });
}
