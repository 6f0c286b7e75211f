import { inspect } from 'node:util';
import { RunnerError } from '../errors.js';
import type { Clock } from '../supervisor/clock.js';

/**
 * A clock that stands still until {@link VirtualClock.advance}: for waits of a supervisor that are longer than a test.
 * What depends on it: delays before restarts, the window and the cool-down of the circuit, how long a worker has to
 * stand, trials after a switch, waiting in the queue, the limits of calls. The time of a process (its start, its
 * heartbeat) is real.
 *
 * @example
 * ```ts
 * const clock = new VirtualClock();
 * const supervisor = store.supervise({ clock, policy: { maxCrashes: 1, retries: 0 } });
 * fake.answerOnce('execute', (call) => call.process.exit(9));
 * await supervisor.execute({ productId: 'A01', stepIndex: 1, image }).catch(() => undefined); // the circuit opens
 * const ready = new Promise((resolve) => supervisor.once('ready', resolve));
 * clock.advance(30_000); // its cool-down
 * await ready; // one worker is tried again
 * ```
 */
export class VirtualClock implements Clock {
  #now = 0;
  #timers: { at: number; run: () => void }[] = [];
  readonly #random: () => number;

  /** @param random - what chance is. Always a half, by default */
  constructor(random: () => number = () => 0.5) {
    this.#random = random;
  }

  /** Milliseconds it has gone on since it was made. */
  now(): number {
    return this.#now;
  }

  /** What chance is said to be. */
  random(): number {
    return this.#random();
  }

  /** Runs something when the clock has gone on so far; the answer cancels it. */
  after(delayMs: number, run: () => void): () => void {
    checkTime('clock.after(delayMs, run)', 'delayMs', delayMs);
    if (typeof run !== 'function') throw wrong('clock.after(delayMs, run)', 'run must be a function', 'run');
    const timer = { at: this.#now + delayMs, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Timers that have not run. */
  get pending(): number {
    return this.#timers.length;
  }

  /**
   * Lets time pass; what is due runs in its order, each at its own time.
   * @throws RunnerError `invalid_params` for a value that is no time
   */
  advance(ms: number): void {
    checkTime('clock.advance(ms)', 'ms', ms);
    if (ms === Infinity) throw wrong('clock.advance(ms)', 'ms must end', 'ms');
    const end = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.#now = Math.max(this.#now, due.at);
      due.run();
    }
    this.#now = end;
  }
}

function checkTime(call: string, path: string, ms: unknown): void {
  if (typeof ms === 'number' && ms >= 0) return;
  throw wrong(call, `${path} must be a time in milliseconds, from 0, not ${inspect(ms)}`, path);
}

function wrong(call: string, rule: string, path: string): RunnerError {
  return new RunnerError('invalid_params', `${call}: ${rule}`, { details: { path } });
}
