import { LONGEST_TIMER_MS } from '../longest-timer.js';

/**
 * A signal that fires with the caller's own, or when the time for the whole is over. Not `AbortSignal.timeout`: in Node 20
 * its composition with another signal is collected as garbage before it fires.
 */
export class TimeLimit implements Disposable {
  /** For all that is done within it. */
  readonly signal: AbortSignal;
  readonly #timer: NodeJS.Timeout;
  #hasPassed = false;

  constructor(limitMs: number, signal: AbortSignal | undefined) {
    const over = new AbortController();
    this.signal = signal ? AbortSignal.any([signal, over.signal]) : over.signal;
    const end = () => {
      this.#hasPassed = !this.signal.aborted;
      over.abort(new Error('the time is over'));
    };
    this.#timer = setTimeout(end, Math.min(limitMs, LONGEST_TIMER_MS));
  }

  /** Whether it was the time that ended it. */
  get hasPassed(): boolean {
    return this.#hasPassed;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
