/** Time and chance of a supervisor, so that what depends on them can be run through in virtual time. */
export interface Clock {
  /** Monotonic milliseconds. */
  now(): number;
  /** From 0 up to, not including, 1. */
  random(): number;
  /** Runs something later; the answer cancels it. */
  after(delayMs: number, run: () => void): () => void;
}

/** The clock on the wall of the process: monotonic, Node's timers. */
export const systemClock: Clock = {
  now: () => performance.now(),
  random: () => Math.random(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => {
      clearTimeout(timer);
    };
  },
};
