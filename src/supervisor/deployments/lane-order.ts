import { settleOrAbort } from '../../abort.js';

/** Does the work of one lane piece by piece, in the order in which it was handed in. Lanes go on side by side. */
export class LaneOrder {
  /** The end of the last piece of each lane that has one. */
  readonly #ends = new Map<string, Promise<unknown>>();

  /**
   * Runs `work` when all earlier work of its lane has ended. An abort during the wait passes the turn to the next; `onWait`
   * is called before it.
   *
   * @throws RunnerError `aborted`, and what the work throws
   */
  run<T>(lane: string, work: () => Promise<T>, signal?: AbortSignal, onWait?: () => void): Promise<T> {
    const before = this.#ends.get(lane);
    if (before) onWait?.();
    const result = before ? settleOrAbort(signal, before).then(work) : work();
    const end: Promise<unknown> = Promise.allSettled([before, result]).then(() => {
      if (this.#ends.get(lane) === end) this.#ends.delete(lane);
    });
    this.#ends.set(lane, end);
    return result;
  }
}
