import type { SupervisedStatus } from './types.js';

/** Workers of a version that take calls, or have one. */
export function readyWorkers({ workers }: Pick<SupervisedStatus, 'workers'>): number {
  return workers.filter(({ state }) => state === 'idle' || state === 'busy').length;
}
