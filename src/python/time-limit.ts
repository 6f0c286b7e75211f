import { LinkedSignal } from '../linked-signal.js';
import { LONGEST_TIMER_MS } from '../longest-timer.js';

/** A signal that fires with the caller's own, or when the time for the whole is over. */
export class TimeLimit implements Disposable {
  readonly #linked: LinkedSignal;
  readonly #timer: NodeJS.Timeout;
  #hasPassed = false;

  constructor(limitMs: number, signal: AbortSignal | undefined) {
    this.#linked = new LinkedSignal(signal);
    this.#timer = setTimeout(
      () => {
        if (this.signal.aborted) return;
        this.#hasPassed = true;
        this.#linked.abort(new Error('the time is over'));
      },
      Math.min(limitMs, LONGEST_TIMER_MS),
    );
  }

  /** For all that is done within it. */
  get signal(): AbortSignal {
    return this.#linked.signal;
  }

  /** Whether it was the time that ended it. */
  get hasPassed(): boolean {
    return this.#hasPassed;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#linked[Symbol.dispose]();
  }
}
