import { RunnerError } from '../../errors.js';
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

/**
 * Whether a call that failed at a canary goes on to the version that is mapped: where it was not begun, else where the policy
 * allows another attempt after such a failure. There is no verdict yet in any of these cases.
 */
export function goesOn({ code }: RunnerError, policy: Readonly<SupervisorPolicy>): boolean {
  if (NEVER_BEGUN.has(code)) return true;
  if (policy.retries === 0) return false;
  switch (code) {
    case 'timeout':
      return policy.retryTimeouts;
    case 'worker_exited':
    case 'heartbeat_lost':
    case 'protocol_error':
      return policy.retryCrashes;
    case 'contract_violation':
    case 'execute_exception':
    case 'gpu_oom':
    case 'frame_missing':
      return true;
    default:
      return false;
  }
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
