/**
 * Runs something when a limit has passed; the answer cancels it. A host that was held up for that long finds its timers
 * first and its pipes second: what has come in time must not be judged late, so the pipes are looked at once in between.
 */
export function expireAfter(limitMs: number, run: () => void, after: After = afterOnTheWall): () => void {
  let immediate: NodeJS.Immediate | undefined;
  const cancel = after(limitMs, () => {
    immediate = setImmediate(run);
  });
  return () => {
    cancel();
    clearImmediate(immediate);
  };
}

/** Runs something when a time has passed; the answer cancels it. */
export type After = (delayMs: number, run: () => void) => () => void;

const afterOnTheWall: After = (delayMs, run) => {
  const timer = setTimeout(run, delayMs);
  return () => {
    clearTimeout(timer);
  };
};
