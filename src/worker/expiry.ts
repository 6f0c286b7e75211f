/**
 * Runs something when a limit has passed; the answer cancels it. A host that was held up for that long finds its timers
 * first and its pipes second: what has come in time must not be judged late, so the pipes are looked at once in between.
 */
export function expireAfter(limitMs: number, run: () => void): () => void {
  let immediate: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => {
    immediate = setImmediate(run);
  }, limitMs);
  return () => {
    clearTimeout(timer);
    clearImmediate(immediate);
  };
}
