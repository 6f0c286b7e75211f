import { abortError, listenForAbort } from '../abort.js';
import type { RunnerError } from '../errors.js';
import { expireAfter } from './heartbeat.js';
import type { RunAfter } from './types.js';

interface Bounds {
  timeoutMs: number;
  answerMs: number | undefined;
  signal: AbortSignal | undefined;
  after: RunAfter | undefined;
  /** What the calls are, in an error. */
  what: string;
  late: () => RunnerError;
  fail: (error: RunnerError, reason: string) => void;
}

/** What ends calls before their answers: a limit for all, a limit from one answer to the next, and the caller. */
export class CallBounds {
  readonly #o: Bounds;
  readonly #cancelAll: () => void;
  readonly #onAbort: () => void;
  readonly #expire = () => {
    this.#o.fail(this.#o.late(), 'timeout');
  };
  #cancelNext: (() => void) | undefined;

  constructor(o: Bounds) {
    this.#o = o;
    const { timeoutMs, signal, after, what, fail } = o;
    this.#cancelAll = expireAfter(timeoutMs, this.#expire, after);
    this.#onAbort = () => {
      if (signal) fail(abortError(signal, what), 'aborted');
    };
    if (signal) listenForAbort(signal, this.#onAbort);
    this.#limitNext();
  }

  /** A call is over, and so many are left. */
  answered(left: number): void {
    this.#cancelNext?.();
    if (left > 0) {
      this.#limitNext();
      return;
    }
    this.#cancelAll();
    this.#o.signal?.removeEventListener('abort', this.#onAbort);
  }

  #limitNext(): void {
    const { answerMs, after } = this.#o;
    if (answerMs !== undefined) this.#cancelNext = expireAfter(answerMs, this.#expire, after);
  }
}
