import { RunnerError } from '../../errors.js';
import { isFailureRetried } from '../pool/retry.js';
import type { SupervisorPolicy } from '../policy.js';
import type { FellBackFrom, InspectionResult } from '../types.js';

/** Codes of a call that no worker of the canary has begun: another version may have it, whatever the policy says of retries. */
const NEVER_BEGUN: ReadonlySet<string> = new Set([
  'queue_full',
  'circuit_open',
  'start_failed',
  'closed',
  'invalid_params', // a step or a value that the canary does not take: what it means for the request is for the other version to say
  'unsupported_phase',
  'unsupported_image',
]);

/** Final for a version, whatever its policy says of retries; the other version may do better. */
const OF_THE_VERSION: ReadonlySet<string> = new Set(['contract_violation', 'execute_exception', 'gpu_oom']);

/**
 * Whether a call that failed at a canary goes on to the version that is mapped: where it was not begun, else where the policy
 * allows another attempt after such a failure. There is no verdict yet in any of these cases.
 */
export function goesOn(error: RunnerError, policy: Readonly<SupervisorPolicy>): boolean {
  if (NEVER_BEGUN.has(error.code)) return true;
  return policy.retries > 0 && (OF_THE_VERSION.has(error.code) || isFailureRetried(error, 1, policy));
}

/** An answer ERROR as the failure that it is. */
export function failureOf(result: InspectionResult, stage: 'pre' | 'execute'): RunnerError {
  const { name, version, message, errorCode } = result;
  return new RunnerError('execute_exception', `${name} ${version} answered ERROR: ${message}`, {
    ...(errorCode !== undefined && { errorCode }),
    details: { name, version, stage, raw: result },
  });
}

/** What a result says of the canary that failed its call before. */
export function fellBackFrom(
  { name, version }: { name: string; version: string },
  error: RunnerError,
): FellBackFrom {
  const { code, message } = error;
  return { name, version, code, message };
}
