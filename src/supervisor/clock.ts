import { abortError, listenForAbort } from '../abort.js';
import { RunnerError } from '../errors.js';
import { runAfter } from '../shared-timer.js';

/** Time and chance of a supervisor, so that what depends on them can be run through in virtual time. */
export interface Clock {
  /** Monotonic milliseconds. */
  now(): number;
  /** From 0 up to, not including, 1. */
  random(): number;
  /** Runs something later; the answer cancels it. */
  after(delayMs: number, run: () => void): () => void;
}

/** Looked up once: each look at the global one is a call of its own. */
const time = performance;

/** The clock on the wall of the process: monotonic. */
export const systemClock: Clock = {
  now: () => time.now(),
  random: () => Math.random(),
  after: runAfter,
};

/** The end of one call's time, and the caller's own wish to end it. */
export class Deadline {
  /** On the clock. */
  readonly at: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly #clock: Clock;

  constructor(clock: Clock, startedAt: number, timeoutMs: number, signal?: AbortSignal) {
    this.#clock = clock;
    this.at = startedAt + timeoutMs;
    this.timeoutMs = timeoutMs;
    this.signal = signal;
  }

  /** The same time, counted from now. */
  anew(): Deadline {
    return new Deadline(this.#clock, this.#clock.now(), this.timeoutMs, this.signal);
  }

  /** Runs something when a share of what is left is over; the answer cancels it. */
  afterShare(share: number, run: () => void): () => void {
    return this.#clock.after(Math.max(0, this.leftMs * share), run);
  }

  /** Runs something later, at the latest when the time is over; the answer cancels it. */
  after(delayMs: number, run: () => void): () => void {
    return this.#clock.after(Math.min(delayMs, Math.max(0, this.leftMs)), run);
  }

  get leftMs(): number {
    return this.at - this.#clock.now();
  }

  /** The error of a call whose time is over. */
  error(stage: string): RunnerError {
    return new RunnerError(
      'timeout',
      `The call was not answered within ${this.timeoutMs} ms: it got as far as ${stage}. If it needs longer, raise timeoutMs of the call or the limit of the policy`,
      {
        details: { timeoutMs: this.timeoutMs, stage },
      },
    );
  }

  /**
   * Work that ends early, through the signal it is given, when the time is over or the caller gives up.
   * @throws RunnerError `timeout`, `aborted`, or what the work throws
   */
  async bound<T>(stage: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const onAbort = () => {
      if (this.signal) controller.abort(this.signal.reason);
    };
    const cancel = this.#clock.after(Math.max(0, this.leftMs), () => {
      controller.abort(this.error(stage));
    });
    if (this.signal?.aborted) onAbort();
    else if (this.signal) listenForAbort(this.signal, onAbort);
    try {
      return await work(controller.signal);
    } catch (error) {
      if (!controller.signal.aborted || !RunnerError.is(error, 'aborted')) throw error;
      if (this.signal?.aborted) throw abortError(this.signal, 'call');
      throw this.error(stage);
    } finally {
      cancel();
      this.signal?.removeEventListener('abort', onAbort);
    }
  }
}
