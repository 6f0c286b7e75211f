/** Delays between attempts. */
export interface BackoffBounds {
  /** After the first failure, in milliseconds. */
  leastMs: number;
  /** However often it failed. */
  mostMs: number;
}

/** Longest that an answer can make us wait, whatever it asks for. */
export const MOST_RETRY_AFTER_MS = 3_600_000;

/**
 * The delay before the next attempt: doubled with each failure up to a bound, and between a half and the whole of that by chance, so that
 * the stations of a plant do not come back together. An answer that asks for more gets it.
 */
export function backoffMs(
  failures: number,
  { leastMs, mostMs }: BackoffBounds,
  random: () => number,
  retryAfterMs = 0,
): number {
  const doubled = Math.min(mostMs, leastMs * 2 ** Math.min(Math.max(0, failures - 1), 40));
  const jittered = doubled * (0.5 + random() / 2);
  return Math.ceil(Math.max(jittered, Math.min(retryAfterMs, MOST_RETRY_AFTER_MS)));
}
