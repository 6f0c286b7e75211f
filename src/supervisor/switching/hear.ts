import type { RunnerError } from '../../errors.js';
import type { Deployment } from '../deployments/deployment.js';
import type { SupervisorEvents } from '../events.js';
import type { CallOutcome, CanaryVerdict, Probation } from './probation.js';

/** A version on trial, and the product ids whose calls count. */
interface OnTrial {
  deployment: Deployment;
  probation: Probation;
  pids: ReadonlySet<string>;
}

const CRASHES: ReadonlySet<string> = new Set([
  'worker_exited',
  'heartbeat_lost',
  'protocol_error',
  'start_failed',
]);

/** What an event means for a trial, if anything. */
export function hear<Name extends keyof SupervisorEvents>(
  { deployment, probation, pids }: OnTrial,
  name: Name,
  event: SupervisorEvents[Name][0],
): CanaryVerdict | undefined {
  const about = event as { name?: string; version?: string };
  if (about.name !== deployment.entry.name || about.version !== deployment.entry.version) return undefined;
  if (name === 'circuitOpen') return probation.crashed(true);
  if (name === 'exit') {
    const { error } = event as SupervisorEvents['exit'][0];
    return error && CRASHES.has(error.code) ? probation.crashed() : undefined;
  }
  if (name === 'result') {
    const { productId, result } = event as SupervisorEvents['result'][0];
    if (productId === undefined || !pids.has(productId)) return undefined;
    return probation.called(result.status === 'OK' ? 'ok' : 'error', result.timing.totalMs);
  }
  if (name === 'callFailed') {
    const { productId, error } = event as SupervisorEvents['callFailed'][0];
    if (productId === undefined || !pids.has(productId)) return undefined;
    const outcome = outcomeOf(error);
    return outcome && probation.called(outcome, 0);
  }
  if (name === 'fellBack') {
    const { productId, error, answered } = event as SupervisorEvents['fellBack'][0];
    if (!pids.has(productId)) return undefined;
    // What the version before answered is no fault of the request, whatever the code says; a full line is a matter of load.
    const outcome = outcomeOf(error) ?? (answered && error.code !== 'queue_full' ? 'error' : undefined);
    return outcome && probation.called(outcome, 0);
  }
  return undefined;
}

/** What a failed call says of the version; nothing when it speaks of the caller or of the load. */
function outcomeOf({ code }: RunnerError): CallOutcome | undefined {
  if (code === 'timeout' || code === 'heartbeat_lost') return 'timeout';
  if (['worker_exited', 'protocol_error', 'contract_violation', 'start_failed'].includes(code))
    return 'error';
  return undefined;
}
