import type { Explanation } from './doctor/explain.js';

/**
 * Explains an error of this library: what its code means, the commonest causes and the remedy; and where the details of this
 * very error tell more, what is at fault: the missing library with the packages that have it, the module, the file, the limit,
 * the process that holds a lock.
 *
 * @param error - anything that was thrown; what is no RunnerError is explained as a fault of this library
 */
export async function explain(error: unknown): Promise<Explanation> {
  const { explanationOf } = await import('./doctor/explain.js');
  return explanationOf(error);
}
