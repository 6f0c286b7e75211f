import { abortError, throwIfAborted } from '../../abort.js';
import { RunnerError } from '../../errors.js';

/** What an order is about. */
interface OrderSubject {
  /** For messages: `switch to sample 1.1.0`. */
  title: string;
  /** Product ids that it moves. */
  productIds: readonly string[];
}

/** A switch or a rollback on its way: it warms a version up, then commits. */
export class Order {
  /** Fires when the caller gives up, or a newer order for one of the product ids comes. */
  readonly signal: AbortSignal;
  readonly #subject: OrderSubject;
  readonly #superseding = new AbortController();
  #supersededBy: OrderSubject | undefined;
  #isCommitting = false;

  constructor(subject: OrderSubject, signal: AbortSignal | undefined) {
    this.#subject = subject;
    const superseding = this.#superseding.signal;
    this.signal = signal ? AbortSignal.any([signal, superseding]) : superseding;
  }

  /** Throws when the caller gave up or a newer order came; from here on neither has an effect. */
  beginCommit(): void {
    throwIfAborted(this.signal, this.#subject.title);
    this.#isCommitting = true;
  }

  /** Ends this order if it shares a product id with the newer one and has not begun to commit. */
  yieldTo(newer: OrderSubject): void {
    const shared = this.#subject.productIds.some((id) => newer.productIds.includes(id));
    if (!shared || this.#isCommitting || this.signal.aborted) return;
    this.#supersededBy = newer;
    this.#superseding.abort(this.#superseded(newer));
  }

  /** What the caller gets instead of the failure: the reason why the order ended, where that is not the failure itself. */
  reasonFor(failure: unknown): unknown {
    if (this.#supersededBy) return this.#superseded(this.#supersededBy);
    return RunnerError.is(failure, 'aborted') ? abortError(this.signal, this.#subject.title) : failure;
  }

  #superseded(newer: OrderSubject): RunnerError {
    return new RunnerError(
      'superseded',
      `The ${this.#subject.title} of ${this.#subject.productIds.join(', ')} was given up before it changed ` +
        `anything: a newer order came, the ${newer.title} of ${newer.productIds.join(', ')}`,
      { details: { productIds: [...this.#subject.productIds], by: newer.title } },
    );
  }
}

/**
 * Orders side by side. Orders for different product ids do not wait for each other; of two for one product id the newer
 * ends the older while that still warms up. Commits are made one at a time: each reads what the last one wrote.
 */
export class Orders {
  readonly #orders = new Map<Order, Promise<unknown>>();
  #commits: Promise<unknown> = Promise.resolve();

  /** Carries an order out. @throws RunnerError `superseded`, `aborted`, and what `work` throws */
  async run<T>(
    subject: OrderSubject,
    signal: AbortSignal | undefined,
    work: (order: Order) => Promise<T>,
  ): Promise<T> {
    throwIfAborted(signal, subject.title);
    for (const older of this.#orders.keys()) older.yieldTo(subject);
    const order = new Order(subject, signal);
    const done = work(order);
    this.#orders.set(order, done);
    try {
      return await done;
    } catch (failure) {
      throw order.reasonFor(failure);
    } finally {
      this.#orders.delete(order);
    }
  }

  /** Runs one commit after the other, also those of other processes that are followed. */
  commit<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#commits.then(work);
    this.#commits = turn.catch(() => undefined);
    return turn;
  }

  /** Resolves when no order and no commit is under way. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#orders.values()]);
    await this.#commits;
  }
}
