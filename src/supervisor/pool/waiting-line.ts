import { RunnerError } from '../../errors.js';
import { CallQueue, type WaitOptions } from './call-queue.js';
import type { Clock } from '../clock.js';

/** How many calls each worker has ahead of it with their images written: the one it runs, and the next. */
const AHEAD_OF_A_WORKER = 2;

/** What the line has to know of the workers. */
export interface Places {
  /** Workers there are to be. */
  count: () => number;
  /** Those that could take a call now, or as soon as they are started. */
  idle: () => number;
  busy: () => number;
}

/**
 * The calls of a deployment from their admission to their end. Bounded, and fair between lanes. Only the first calls
 * may write their images: the next image is in shared memory while a worker computes, and a long queue costs no memory.
 * An admitted call waits for a worker in {@link WorkerPool.acquire}.
 */
export class WaitingLine {
  readonly #title: string;
  readonly #capacity: () => number;
  readonly #places: Places;
  readonly #queue: CallQueue<void>;
  /** Calls that were let on and have not left. */
  #inside = 0;
  /** Calls that wait for the start of the workers. */
  #awaitingStart = 0;

  constructor(o: { title: string; capacity: () => number; clock: Clock; places: Places }) {
    this.#title = o.title;
    this.#capacity = o.capacity;
    this.#places = o.places;
    this.#queue = new CallQueue({ title: o.title, clock: o.clock });
  }

  /** Calls that no worker has yet. */
  get size(): number {
    return this.#awaitingStart + this.#queue.size + Math.max(0, this.#inside - this.#places.busy());
  }

  /**
   * Counts a call that waits for the workers to be started, until it calls the answer: it is to enter then.
   *
   * @throws RunnerError `queue_full` at once
   */
  awaitStart(): () => void {
    if (this.#isFull) throw this.#full();
    this.#awaitingStart++;
    let isWaiting = true;
    return () => {
      if (isWaiting) this.#awaitingStart--;
      isWaiting = false;
    };
  }

  /**
   * Waits until the call may write its images; it calls the answer when it is over.
   *
   * @throws RunnerError `queue_full` at once, `timeout` at the deadline, `aborted`, or what {@link rejectAll} was given
   */
  async enter(o: WaitOptions<void>): Promise<() => void> {
    if (this.#isFull) throw this.#full();
    if (this.#inside < this.#bound && this.#queue.size === 0) this.#inside++;
    else await this.#queue.wait(o); // counted by #fill, so that no other call slips in between
    let isInside = true;
    return () => {
      if (!isInside) return;
      isInside = false;
      this.#inside--;
      this.#fill();
    };
  }

  /** Ends the wait of every call that was not let on. */
  rejectAll(error: RunnerError): void {
    this.#queue.rejectAll(error);
  }

  get #isFull(): boolean {
    return this.size >= this.#capacity() + this.#places.idle();
  }

  get #bound(): number {
    return AHEAD_OF_A_WORKER * Math.max(1, this.#places.count());
  }

  #fill(): void {
    while (this.#inside < this.#bound && this.#queue.offer()) this.#inside++;
  }

  #full(): RunnerError {
    return new RunnerError(
      'queue_full',
      `${this.#title} has ${this.size} calls waiting, and takes ${this.#capacity()}: send fewer at once, or raise maxQueue or workers`,
    );
  }
}
