import type { RunAfter } from './types.js';

/**
 * Runs something when a limit has passed; the answer cancels it. A host that was held up for that long finds its timers
 * first and its pipes second: an answer that came in time must not count as late, so the pipes are read once in between.
 */
export function expireAfter(limitMs: number, run: () => void, after: RunAfter = afterOnTheWall): () => void {
  let immediate: NodeJS.Immediate | undefined;
  const cancel = after(limitMs, () => {
    immediate = setImmediate(run);
  });
  return () => {
    cancel();
    clearImmediate(immediate);
  };
}

const afterOnTheWall: RunAfter = (delayMs, run) => {
  const timer = setTimeout(run, delayMs);
  return () => {
    clearTimeout(timer);
  };
};
