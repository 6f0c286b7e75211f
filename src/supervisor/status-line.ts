import type { SupervisedStatus } from './types.js';

/** A deployment in one line, for people. */
export function statusLine(status: SupervisedStatus): string {
  const { name, version, state, circuit, workers, inFlight, queued, restarts, latency, lastError } = status;
  const pids = workers.flatMap(({ processId: id }) => (id === undefined ? [] : [String(id)]));
  const median = latency.p50Ms === undefined ? '' : ` of ${latency.p50Ms.toFixed(1)} ms`;
  return [
    `${name} ${version}: ${state}`,
    `${workers.length} ${workers.length === 1 ? 'worker' : 'workers'} (${pids.join(', ') || 'no process'})`,
    `${inFlight} in flight`,
    `${queued} queued`,
    `${latency.count} calls${median}`,
    ...(restarts > 0 ? [`${restarts} restarts`] : []),
    ...(circuit === 'closed' ? [] : [`circuit ${circuit}`]),
    ...(lastError ? [`last failure ${lastError.code}`] : []),
  ].join(', ');
}
