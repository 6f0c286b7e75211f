import type { RunnerError } from '../../errors.js';
import type { AlgorithmWorker } from '../../worker/algorithm-worker.js';
import type { WorkerReady, WorkerReply } from '../../worker/types.js';
import { CallLine, type Patience, type Turn } from './call-line.js';
import type { SupervisorPolicy } from '../policy.js';
import { stopped } from './pool-errors.js';
import { PoolUpkeep, type PoolOptions } from './pool-upkeep.js';
import type { CircuitState, RestartPolicy } from './restart-policy.js';
import { isReplyFatal } from './retry.js';
import type { WorkerSlot } from './worker-slot.js';

/** A worker that is the caller's until it is released. */
export interface Lease {
  readonly slot: WorkerSlot;
  readonly worker: AlgorithmWorker;
}

/** What a call asks of the pool. */
export interface AcquireOptions extends Patience {
  /** Its request id, however often it is tried; those of all where several go in one message. */
  calls?: readonly string[];
  /** Workers that had this call before. */
  avoid?: ReadonlySet<AlgorithmWorker>;
  /** The place that had the session before. */
  prefer?: number;
  /** Has the values of the session: no other worker will do while this one lives. */
  keeper?: AlgorithmWorker;
  /** Only this place will do. */
  only?: number;
  /** Before all others that wait: a call that is tried again. */
  isRetry?: boolean;
}

/** A call of the pool, from its admission to its end. */
export type CallTurn = Turn<WorkerSlot, AcquireOptions>;

/**
 * The workers of one deployment, as calls see them: as many as were asked for, each with at most one call. Who comes
 * waits for a turn, and then for a worker: see {@link CallLine}. That there are workers is the business of {@link PoolUpkeep}.
 */
export class WorkerPool {
  readonly #line: CallLine<WorkerSlot, AcquireOptions>;
  readonly #upkeep: PoolUpkeep;
  readonly #title: string;
  readonly #policy: Readonly<SupervisorPolicy>;
  readonly #restarts: RestartPolicy;
  readonly #changed: () => void;
  #isStarted = false;
  /** Why no call is taken any more. */
  #refusal: RunnerError | undefined;

  constructor(options: PoolOptions) {
    const { title, clock, policy } = options;
    this.#title = title;
    this.#policy = policy;
    this.#restarts = options.restarts;
    this.#changed = options.changed;
    this.#line = new CallLine({
      ...{ title, clock, capacity: () => policy.maxQueue },
      places: {
        count: () => this.slots.length,
        // Before the start those that are to come: they will take their calls from the line at once.
        idle: () => (this.#isStarted ? this.#countOf(({ isIdle }) => isIdle) : this.slots.length),
        find: (o) => this.#idleSlot(o),
        suits: (slot, o) => accepts(o, slot),
      },
    });
    this.#upkeep = new PoolUpkeep({
      ...options,
      seated: (slot) => {
        this.#offer(slot);
      },
      opened: (error) => {
        this.#line.rejectAll(error);
      },
    });
  }

  get slots(): readonly WorkerSlot[] {
    return this.#upkeep.slots;
  }

  get circuit(): CircuitState {
    return this.#restarts.state;
  }

  /** The handshake of a ready worker. */
  get ready(): WorkerReady | undefined {
    return this.slots.find(({ worker }) => worker?.ready)?.worker?.ready;
  }

  /** Calls that wait for the worker of this place and would take no other. */
  queuedFor({ index, worker }: WorkerSlot): number {
    return this.#line.count((o) => o.only === index || (worker !== undefined && o.keeper === worker));
  }

  /** Warm spares that are ready. */
  get spares(): number {
    return this.#upkeep.spares;
  }

  /** Calls that no worker has yet. */
  get queued(): number {
    return this.#line.size;
  }

  get inFlight(): number {
    return this.#countOf(({ isBusy }) => isBusy);
  }

  /** Starts the workers. Rejects with the first failure; the pool is then to be stopped. */
  async start(): Promise<void> {
    await this.#upkeep.start();
    this.#isStarted = true;
  }

  /** Takes a call in, also before the start; it is to leave. @throws RunnerError `queue_full` */
  admit(lane: string, order?: string): CallTurn {
    return this.#line.admit(lane, order);
  }

  /** A call that takes no room in the line. */
  aside(): CallTurn {
    return this.#line.aside();
  }

  /**
   * Waits until a call may write its image; undefined when it may at once.
   *
   * @throws RunnerError `circuit_open`, `closed`; by the promise also `timeout`, `aborted`
   */
  letOn(turn: CallTurn, patience: Patience): Promise<unknown> | undefined {
    this.#checkServing();
    return this.#line.letOn(turn, patience);
  }

  /**
   * A free worker, or the next worker that becomes free.
   *
   * @throws RunnerError `circuit_open`, `closed`; by the promise also `timeout`, `aborted`
   */
  acquire(turn: CallTurn, o: AcquireOptions): Lease | Promise<Lease> {
    this.#checkServing();
    const slot = this.#line.take(turn, o, o, o.isRetry ?? false);
    if (slot instanceof Promise) return this.#leaseWhenFree(turn, o, slot);
    return this.#lease(slot, o) ?? this.#leaseWhenFree(turn, o, Promise.resolve(slot));
  }

  /** A worker, if one is free; undefined does not count as a wait. */
  acquireNow(turn: CallTurn, o: AcquireOptions): Lease | undefined {
    if (!this.#idleSlot(o)) return undefined;
    const lease = this.acquire(turn, o);
    return lease instanceof Promise ? undefined : lease;
  }

  /** The call is over, or was given up: the next may write its image. */
  leave(turn: CallTurn): void {
    this.#line.leave(turn);
  }

  /** The call is over, or all that went in one message: answered (`reply`), or not. */
  release({ slot, worker }: Lease, ...replies: (WorkerReply | undefined)[]): void {
    slot.isBusy = false;
    slot.calls += replies.length;
    let isFatal = false;
    let isAnswered = replies.length > 0;
    for (const reply of replies) {
      isAnswered &&= reply !== undefined;
      if (!reply) continue;
      slot.latency.add(reply.callMs);
      slot.pictures = reply.metrics?.pictures ?? slot.pictures;
      isFatal ||= isReplyFatal(reply, this.#policy);
    }
    // A worker that stands was not lost with its calls, answered or not.
    if (isAnswered || worker.state === 'idle') slot.calledBy = [];
    if (isAnswered && !isFatal) this.#upkeep.proven(slot);
    // Gone, or on its way: its exit says what follows.
    if (slot.worker === worker && worker.state === 'idle') {
      if (isFatal) void worker.stop('fatal exception');
      else this.#upkeep.betweenCalls(slot, replies.length);
    }
    this.#offer(slot);
    this.#changed();
  }

  /** Makes the workers as many; see {@link PoolUpkeep.scale}. */
  scale(workers: number): Promise<void> {
    return this.#upkeep.scale(workers);
  }

  /** The policy has changed: what it says of warm spares is done. */
  policyChanged(): void {
    this.#upkeep.policyChanged();
  }

  /** Closes the circuit by hand and starts what is missing. */
  resetCircuit(): void {
    this.#upkeep.resetCircuit();
  }

  /** Takes no more calls and starts no more workers; calls that run go on. */
  refuse(error?: RunnerError): void {
    // Later calls get the first reason: the failed start, not the stop that follows it.
    this.#refusal ??= error ?? stopped(this.#title);
    this.#upkeep.halt();
    this.#line.rejectAll(this.#refusal);
  }

  /** Ends every worker and every wait; resolves when the last process is gone. */
  async stop(reason = 'stopped'): Promise<void> {
    this.refuse();
    await this.#upkeep.stop(reason);
  }

  #lease(slot: WorkerSlot, { calls = [] }: AcquireOptions): Lease | undefined {
    const { worker } = slot;
    if (worker?.state !== 'idle') return undefined;
    slot.isBusy = true;
    slot.calledBy = calls;
    this.#changed();
    return { slot, worker };
  }

  async #leaseWhenFree(turn: CallTurn, o: AcquireOptions, free: Promise<WorkerSlot>): Promise<Lease> {
    for (let next: WorkerSlot | Promise<WorkerSlot> = free; ;) {
      const slot: WorkerSlot = await next;
      const lease = this.#lease(slot, o);
      if (lease) return lease;
      // It left between the offer and now: the call comes before all others again.
      slot.isBusy = false;
      this.#offer(slot);
      next = this.#line.take(turn, o, o, true);
    }
  }

  #idleSlot(o: AcquireOptions): WorkerSlot | undefined {
    const preferred = o.prefer === undefined ? undefined : this.slots[o.prefer];
    if (preferred?.isIdle && accepts(o, preferred)) return preferred;
    for (const slot of this.slots) if (slot.isIdle && accepts(o, slot)) return slot;
    return undefined;
  }

  #countOf(isMeant: (slot: WorkerSlot) => boolean): number {
    let count = 0;
    for (const slot of this.slots) if (isMeant(slot)) count++;
    return count;
  }

  #offer(slot: WorkerSlot): void {
    if (!slot.isIdle || this.#refusal) return;
    // Taken before the waiter wakes, so that no other call slips in between.
    slot.isBusy = true;
    if (!this.#line.offer(slot)) slot.isBusy = false;
  }

  #checkServing(): void {
    if (this.#refusal) throw this.#refusal;
    this.#upkeep.checkCircuit();
  }
}

/** Whether a call may go to the worker that stands here. */
function accepts({ only, avoid, keeper }: AcquireOptions, { index, worker }: WorkerSlot): boolean {
  if (only !== undefined && index !== only) return false;
  if (worker && avoid?.has(worker)) return false;
  return !keeper || worker === keeper || (keeper.state !== 'idle' && keeper.state !== 'busy');
}
