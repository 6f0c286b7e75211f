import { RunnerError } from '../../errors.js';
import type { Lease } from '../pool/worker-pool.js';
import type { Deployment } from '../deployments/deployment.js';

/**
 * Refuses a worker of another deployment than prepared the session, or, where workers keep the values of sessions,
 * another worker of it: it would judge by what it has not measured.
 *
 * @param last - where the session was last at this deployment
 * @param cause - what the attempt before failed with
 * @throws RunnerError `closed`
 */
export function checkPrepared(
  { entry, title, keepsSessions }: Deployment,
  { worker, slot }: Lease,
  last: Lease | undefined,
  cause: RunnerError | undefined,
): void {
  if (entry.generation === 'execute-only' || (last && (!keepsSessions || last.worker === worker))) return;
  const { name, version } = entry;
  const what = last ? `worker ${slot.index} of ${title}` : title;
  throw new RunnerError(
    'closed',
    `${what} has not prepared the session of this call, and what had prepared it is gone: nothing was executed. Inspect the picture again`,
    { cause, retryable: true, details: { name, version, stage: 'execute' } },
  );
}

/** Whether it is the refusal of {@link checkPrepared}: nothing was executed. */
export function isUnprepared(error: unknown): error is RunnerError<'closed'> {
  return RunnerError.is(error, 'closed') && error.retryable && error.details.stage === 'execute';
}
