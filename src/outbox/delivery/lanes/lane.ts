import type { Clock } from '../../../supervisor/clock.js';
import type { DeliveryQueue, DueItem, Lane as LaneName } from '../../types.js';
import type { DeliveryTarget, Outcome } from '../targets/port.js';
import type { AttemptBounds } from './attempt.js';
import { backoffMs, MOST_RETRY_AFTER_MS, type BackoffBounds } from './backoff.js';
import type { LaneProgress } from './progress.js';
import type { TokenBucket } from './token-bucket.js';
import { Wake } from './wake.js';

/** After a store that failed. */
const STORE_FAULT_MS = 5_000;
/** By so much two clocks may differ over a delay. */
const SLACK_MS = 1_000;
/** After so many failures (four minutes, by the usual delays) it is looked whether one record is to blame. */
const FAILURES_OF_A_RECORD = 8;
/** How often one is sent alone, others in between, before it is set aside. */
const TRIES_OF_ONE = 3;
/** A picture gets this much time more for each KiB, in milliseconds: 8 KiB a second at the least. */
const MS_PER_KIB = 125;

/** What is in force now. It changes while lanes run. */
export interface LaneSettings {
  target: DeliveryTarget;
  bucket: TokenBucket;
  attemptMs: number;
  backoff: BackoffBounds;
}

/** What a lane works with. */
export interface LaneContext {
  queue: DeliveryQueue;
  clock: Clock;
  /** Unix time in milliseconds. */
  now: () => number;
  progress: LaneProgress;
  settings: () => LaneSettings;
  isPaused: () => boolean;
  /** Whether so much waits that what is small goes first. */
  isDegraded: () => boolean;
  onStoreFault: (error: unknown) => void;
}

/** Items that go in one attempt, or how long to wait for more. */
export type Gathered = { items: DueItem[] } | { waitMs: number };

/**
 * One lane: what is due is sent in its order until there is nothing, and again when there is. One attempt at a time, so that no record
 * passes another one. Each lane has a loop of its own: neither waits for the other.
 */
export abstract class Lane {
  protected readonly context: LaneContext;
  readonly #name: LaneName;
  readonly #wake = new Wake();
  readonly #end = new AbortController();
  #attempt = new AbortController();
  #retryAt: number | undefined;
  /** On the clock, which is not put back: when the last of the delays that this lane has set is over. */
  #delaysEnd = Infinity;
  #done: Promise<void> | undefined;
  /** Whether something became due since the last look, and whether that ends the wait. */
  #due = { isNew: false, wakes: false };
  #endDue: (() => void) | undefined;

  constructor(name: LaneName, context: LaneContext) {
    this.#name = name;
    this.context = context;
  }

  /** When the next attempt is due: Unix time in milliseconds. */
  get retryAt(): number | undefined {
    return this.#retryAt;
  }

  start(): void {
    this.#endDue = this.context.queue.onDue(() => {
      this.#due.isNew = true;
      if (this.#due.wakes) this.wake();
    });
    this.#done = this.#run();
  }

  /** Looks again. */
  wake(): void {
    this.#wake.wake();
  }

  /** Ends the attempt that is under way; it is made again. */
  interrupt(): void {
    this.#attempt.abort(new Error('delivery was paused, changed or closed'));
    this.wake();
  }

  async close(): Promise<void> {
    this.#endDue?.();
    this.#end.abort();
    this.interrupt();
    await this.#done;
  }

  /** What goes next. */
  protected abstract gather(): Promise<Gathered & { retryAt?: number | undefined }>;
  /** Sends what was gathered. */
  protected abstract send(
    items: readonly DueItem[],
    settings: LaneSettings,
    bounds: (bytes: number) => AttemptBounds,
  ): Promise<Outcome>;

  async #run(): Promise<void> {
    while (!this.#isEnded()) {
      this.#wake.arm();
      try {
        await this.#turn();
      } catch (error) {
        // The store is closed, or its disk is full: what is due stays due.
        this.context.onStoreFault(error);
        this.#wake.arm();
        if (!this.#isEnded()) await this.#wake.wait(this.context.clock, STORE_FAULT_MS);
      }
    }
  }

  async #turn(): Promise<void> {
    const { clock, isPaused, queue, now, progress } = this.context;
    if (isPaused()) {
      await this.#wake.wait(clock);
      return;
    }
    this.#due = { isNew: false, wakes: false };
    const gathered = await this.gather();
    if ('waitMs' in gathered) {
      const { waitMs, retryAt } = gathered;
      const untilRetry = retryAt === undefined ? Infinity : retryAt - now();
      this.#retryAt = retryAt;
      if (waitMs === Infinity && retryAt === undefined) progress.rest(this.#name);
      // A clock that was put back would make a retry wait for as long as it was wrong.
      const isPutBack = clock.now() > this.#delaysEnd + SLACK_MS || untilRetry > 2 * MOST_RETRY_AFTER_MS;
      if (untilRetry !== Infinity && untilRetry > 0 && isPutBack) {
        this.#delaysEnd = Infinity;
        await queue.retryNow();
      } else await this.#idle(Math.min(waitMs, untilRetry), waitMs === Infinity);
      return;
    }
    this.#retryAt = undefined;
    await this.#deliver(gathered.items);
  }

  #isEnded(): boolean {
    return this.#end.signal.aborted;
  }

  /** An open batch is looked at from time to time, not at each new record. */
  async #idle(ms: number, wakes: boolean): Promise<void> {
    this.#due.wakes = wakes;
    if (wakes && this.#due.isNew) return;
    await this.#wake.wait(this.context.clock, ms);
  }

  /**
   * Sends items; what is refused is divided until the one is found that is to blame, and that one alone is set aside. The rest goes in
   * its order. Returns whether all of them are done with.
   */
  async #deliver(items: readonly DueItem[]): Promise<boolean> {
    const { queue, progress } = this.context;
    if (items.length === 0) return true;
    const outcome = await this.#outcomeOf(items);
    if (!outcome) return false;
    if (outcome.state === 'taken') {
      await queue.acknowledge(items);
      return true;
    }
    if (outcome.state === 'failed') {
      const isForLong = isStumbling(outcome) && failuresOf(items) >= FAILURES_OF_A_RECORD;
      // One alone has nobody behind it who could show that the platform is not down.
      const left = isForLong && items.length > 1 ? await this.#findStumbling(items) : items;
      if (left.length === 0) return true;
      if (!this.#isStopped()) await this.#retryLater(left, outcome);
      return false;
    }
    const [first] = items;
    if (items.length === 1 && first) {
      progress.refused++;
      await queue.setAside(first, outcome.reason);
      return true;
    }
    const middle = Math.ceil(items.length / 2);
    return (await this.#deliver(items.slice(0, middle))) && this.#deliver(items.slice(middle));
  }

  /**
   * Of a batch over which the platform stumbles each time: finds the first record that it does not take, and sets that one aside where it
   * takes another in between: so it is not the platform that is down. That other one passes it.
   *
   * @returns those that are to be tried again later
   */
  async #findStumbling(items: readonly DueItem[]): Promise<readonly DueItem[]> {
    const { queue, progress } = this.context;
    const rest = [...items];
    for (let within = rest.length; within > 1;) {
      const half = Math.ceil(within / 2);
      const outcome = await this.#take(rest, 0, half);
      if (outcome?.state === 'taken') within -= half;
      else if (isStumbling(outcome)) within = half;
      else return rest;
    }
    let isProven = false;
    for (let tries = 1; ; tries++) {
      const outcome = await this.#take(rest, 0, 1);
      if (outcome?.state === 'taken') return [];
      const [suspect] = rest;
      if (!suspect || !isStumbling(outcome)) return rest;
      if (tries === TRIES_OF_ONE) {
        const reason = `The platform takes the records around it, and stumbles over it each time: ${outcome.reason}`;
        progress.refused++;
        progress.tell(this.#name, { state: 'refused', reason }, { count: 1, bytes: suspect.sizeBytes });
        await queue.setAside(suspect, reason);
        return [];
      }
      const other = await this.#takeOneBehind(rest);
      isProven ||= other === 'taken';
      if (!isProven || other === 'failed') return rest;
    }
  }

  /** Sends some of these, and takes them out where they are taken. */
  async #take(rest: DueItem[], from: number, count: number): Promise<Outcome | undefined> {
    const outcome = await this.#outcomeOf(rest.slice(from, from + count));
    if (outcome?.state === 'taken') await this.context.queue.acknowledge(rest.splice(from, count));
    return outcome;
  }

  /** One behind the first, near it or far: the platform may stumble over the next ones too. */
  async #takeOneBehind(rest: DueItem[]): Promise<'taken' | 'none' | 'failed'> {
    for (let at = 1; at < rest.length; at *= 2) {
      const outcome = await this.#take(rest, at, 1);
      if (outcome?.state === 'taken') return 'taken';
      if (!isStumbling(outcome)) return 'failed';
    }
    return 'none';
  }

  /** What came of an attempt; undefined where it was us who ended it. */
  async #outcomeOf(items: readonly DueItem[]): Promise<Outcome | undefined> {
    if (this.#isStopped()) return undefined;
    const outcome = await this.#attemptOf(items);
    if (outcome.state === 'failed' && this.#attempt.signal.aborted) return undefined;
    const bytes = items.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    this.context.progress.tell(this.#name, outcome, { count: items.length, bytes });
    return outcome;
  }

  #isStopped(): boolean {
    return this.#isEnded() || this.context.isPaused();
  }

  async #attemptOf(items: readonly DueItem[]): Promise<Outcome> {
    const { clock, settings } = this.context;
    this.#attempt = new AbortController();
    const { signal } = this.#attempt;
    const now = settings();
    return this.send(items, now, (bytes) => ({
      ...{ clock, signal, bucket: now.bucket },
      limitMs: now.attemptMs + Math.ceil((bytes / 1024) * MS_PER_KIB),
    }));
  }

  async #retryLater(
    items: readonly DueItem[],
    { retryAfterMs }: Extract<Outcome, { state: 'failed' }>,
  ): Promise<void> {
    const { queue, clock, now, settings } = this.context;
    const failures = failuresOf(items) + 1;
    const delay = backoffMs(failures, settings().backoff, () => clock.random(), retryAfterMs);
    const end = clock.now() + delay;
    this.#delaysEnd = this.#delaysEnd === Infinity ? end : Math.max(this.#delaysEnd, end);
    await queue.retryLater(items, now() + delay);
  }
}

/** How often one of these has failed. */
function failuresOf(items: readonly DueItem[]): number {
  return Math.max(...items.map(({ attempts }) => attempts));
}

function isStumbling(outcome: Outcome | undefined): outcome is Extract<Outcome, { state: 'failed' }> {
  return outcome?.state === 'failed' && outcome.mayBeOfARecord === true;
}
