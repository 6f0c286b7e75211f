import { LONGEST_TIMER_MS } from './longest-timer.js';

interface Waiting {
  /** When it is to be run, by `performance.now()`. */
  readonly at: number;
  readonly run: () => void;
}

/** By numbers, which need no hash of their own. */
const waiting = new Map<number, Waiting>();
let count = 0;
let timer: NodeJS.Timeout | undefined;
/** When the timer ends. */
let endsAt = Infinity;
/** The function that made the timer: a test harness may put another one in its place for a while, whose timers then never end. */
let madeBy: typeof setTimeout | undefined;

/**
 * Runs something when a time has passed; the answer cancels it. One timer of Node serves for all, and stays where nothing waits any
 * more: a limit that is set for each call and nearly always cancelled would else cost the call a timer, a list of timers and a
 * place in Node's queue of them. What is left of it keeps no process alive.
 */
export function runAfter(delayMs: number, run: () => void): () => void {
  const number = ++count;
  const at = performance.now() + delayMs;
  if (waiting.size === 0) timer?.ref();
  waiting.set(number, { at, run });
  if (!(at >= endsAt) || madeBy !== setTimeout) startTimer(at, delayMs);
  return () => {
    if (waiting.delete(number) && waiting.size === 0) timer?.unref();
  };
}

function startTimer(at: number, delayMs: number): void {
  if (madeBy === setTimeout) clearTimeout(timer);
  madeBy = setTimeout;
  endsAt = at;
  timer = setTimeout(onTimer, Math.min(Math.ceil(delayMs), LONGEST_TIMER_MS));
}

function onTimer(): void {
  timer = undefined;
  endsAt = Infinity;
  const now = performance.now();
  const due = [...waiting]
    .filter(([, { at }]) => !(at > now))
    .sort(([, one], [, other]) => one.at - other.at);
  try {
    for (const [number, { run }] of due) if (waiting.delete(number)) run();
  } finally {
    // Where one threw, those that were due with it come next.
    for (const { at } of waiting.values()) if (!(at >= endsAt)) startTimer(at, Math.max(0, at - now));
  }
}
