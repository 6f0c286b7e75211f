import { abortError, listenForAbort } from '../abort.js';
import type { RunnerError } from '../errors.js';
import { expireAfter } from './heartbeat.js';
import type { RunAfter } from './types.js';

interface Bounds {
  /** Until the first answer. */
  timeoutMs: number;
  /** From one answer to the next. */
  answerMs: number;
  signal: AbortSignal | undefined;
  after: RunAfter | undefined;
  /** What the calls are, in an error. */
  what: string;
  late: () => RunnerError;
  fail: (error: RunnerError, reason: string) => void;
}

/** What ends calls before their answers: a limit until the first, a limit from one answer to the next, and the caller. */
export class CallBounds {
  readonly #o: Bounds;
  readonly #onAbort: () => void;
  readonly #expire = () => {
    this.#o.fail(this.#o.late(), 'timeout');
  };
  #cancel: (() => void) | undefined;
  #hasAnswer = false;

  constructor(o: Bounds) {
    this.#o = o;
    const { timeoutMs, signal, what, fail } = o;
    this.#limit(timeoutMs);
    this.#onAbort = () => {
      if (signal) fail(abortError(signal, what), 'aborted');
    };
    if (signal) listenForAbort(signal, this.#onAbort);
  }

  /** More calls are on their way. A worker that waits for the last of them has its time from there. */
  added(isLast: boolean): void {
    if (!this.#hasAnswer && isLast) this.#limit(this.#o.timeoutMs);
    else if (!this.#cancel) this.#limit(this.#o.answerMs);
  }

  /** A call is over, and so many are left. */
  answered(left: number): void {
    this.#hasAnswer = true;
    if (left > 0) this.#limit(this.#o.answerMs);
    else this.#stop();
  }

  /** No call is left, and none comes. */
  end(): void {
    this.#stop();
    this.#o.signal?.removeEventListener('abort', this.#onAbort);
  }

  #limit(limitMs: number): void {
    this.#stop();
    this.#cancel = expireAfter(limitMs, this.#expire, this.#o.after);
  }

  #stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
