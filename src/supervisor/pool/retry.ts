import type { RunnerError } from '../../errors.js';
import type { WorkerReply } from '../../worker/types.js';
import type { SupervisorPolicy } from '../policy.js';

type RetryPolicy = Pick<
  SupervisorPolicy,
  | 'retries'
  | 'retryTimeouts'
  | 'retryCrashes'
  | 'recoverableCodes'
  | 'recoverableExceptions'
  | 'fatalExceptions'
>;

/**
 * Whether a failed attempt is worth another: only where the policy says so, and while it grants attempts. What breaks
 * the contract, was aborted or was stopped is final, whatever the policy.
 */
export function isFailureRetried(error: RunnerError, attempts: number, policy: RetryPolicy): boolean {
  if (attempts > policy.retries) return false;
  switch (error.code) {
    case 'timeout':
      return policy.retryTimeouts;
    case 'worker_exited':
    case 'heartbeat_lost':
    case 'protocol_error':
      return policy.retryCrashes;
    case 'frame_missing':
      return true; // the picture is made anew for the next attempt
    default:
      return false;
  }
}

/** Whether an answer of status ERROR is about a lost picture, or is recoverable by the policy, and attempts are left. */
export function isReplyRetried(reply: WorkerReply, attempts: number, policy: RetryPolicy): boolean {
  if (reply.status !== 'ERROR' || attempts > policy.retries || isReplyFatal(reply, policy)) return false;
  if (reply.isPictureLost) return true; // it is made anew for the next attempt
  const { errorCode, exception } = reply;
  return (
    (errorCode !== undefined && policy.recoverableCodes.includes(errorCode)) ||
    (exception !== undefined && policy.recoverableExceptions.includes(exception))
  );
}

/** Whether the algorithm raised what the policy calls fatal: its process is not to be called again. */
export function isReplyFatal(
  { exception }: Pick<WorkerReply, 'exception'>,
  { fatalExceptions }: Pick<SupervisorPolicy, 'fatalExceptions'>,
): boolean {
  return exception !== undefined && fatalExceptions.includes(exception);
}
