import { RunnerError } from '../errors.js';
import { Door, lazily } from '../options.js';
import { DEFAULT_OOM_SCORE_ADJ } from '../process/containment.js';
import { resolveLimits } from '../worker/limits.js';
import { policyOptions, type SupervisorPolicy, type VersionPolicy } from './policy-options.js';

export type { SupervisorPolicy, VersionPolicy } from './policy-options.js';

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
  proof: 'sampled',
  answers: {},
  parameters: 'check',
  limits: {},
  resources: undefined,
  uid: undefined,
  gid: undefined,
  network: 'host',
  namespaces: 'auto',
  oomScoreAdj: DEFAULT_OOM_SCORE_ADJ,
  threads: 'auto',
  devices: undefined,
  env: {},
  setupErrors: 'fail',
  warmStart: 'auto',
  idleServerMs: 600_000,
});

const POLICY = /* @__PURE__ */ lazily(
  () =>
    new Door<{ policy?: Partial<SupervisorPolicy> }>('new AlgorithmSupervisor({ policy })', {
      policy: policyOptions(),
    }),
);

/** What a version's policy says to its supervisor: without the adapter, and without what its next installation reads. */
export function supervisorPart({
  worker: _,
  ownFiles: __,
  ...policy
}: VersionPolicy): Partial<SupervisorPolicy> {
  return policy;
}

/**
 * Fills in the defaults.
 * @throws RunnerError `invalid_params` naming the option and its bounds; `unsupported_platform` for `uid` or `gid` on Windows
 */
export function resolvePolicy(
  given: Partial<SupervisorPolicy> = {},
  platform: NodeJS.Platform = process.platform,
): Readonly<SupervisorPolicy> {
  POLICY().check({ policy: given });
  const known = Object.fromEntries(
    Object.entries(given).filter(([, value]: [string, unknown]) => value !== undefined),
  );
  const policy: SupervisorPolicy = { ...DEFAULT_SUPERVISOR_POLICY, ...known };
  if (given.retryTimeouts === true && policy.attemptTimeoutMs === undefined) {
    throw new RunnerError(
      'invalid_params',
      'The policy retryTimeouts needs attemptTimeoutMs: without a limit of one attempt the first may take all of the time ' +
        'of the call, and none is left for another',
      { details: { path: 'policy.retryTimeouts' } },
    );
  }
  if (platform !== 'linux' && policy.network === 'none') {
    throw new RunnerError(
      'unsupported_platform',
      "Workers can be kept from the network on Linux alone: leave out network: 'none', and deny it by the system's firewall",
    );
  }
  policy.gid ??= policy.uid;
  if (platform === 'win32' && policy.gid !== undefined) {
    throw new RunnerError(
      'unsupported_platform',
      'Windows cannot run workers as another user by number: leave out uid and gid, and run the host as that user',
    );
  }
  policy.limits = resolveLimits({
    ...policy.limits,
    preMs: policy.preTimeoutMs,
    executeMs: policy.executeTimeoutMs,
    infoMs: policy.infoTimeoutMs,
  });
  return Object.freeze(policy);
}
