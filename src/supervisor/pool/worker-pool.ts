import type { RunnerError } from '../../errors.js';
import type { WorkerReady, WorkerReply } from '../../worker/types.js';
import { CallQueue } from './call-queue.js';
import { accepts, type AcquireOptions, type Lease } from './lease.js';
import type { SupervisorPolicy } from '../policy.js';
import { stopped } from './pool-errors.js';
import type { PoolListener } from './pool-listener.js';
import { PoolUpkeep, type PoolOptions } from './pool-upkeep.js';
import type { CircuitState, RestartPolicy } from './restart-policy.js';
import { isReplyFatal } from './retry.js';
import { WaitingLine } from './waiting-line.js';
import type { WorkerSlot } from './worker-slot.js';

/**
 * The workers of one deployment, as calls see them: as many as were asked for, each with at most one call. Who comes
 * waits for a turn, and then for a worker. That there are workers is the business of {@link PoolUpkeep}.
 */
export class WorkerPool {
  /** Calls from their admission to their end. */
  readonly line: WaitingLine;
  /** Calls whose images are written, and that have no worker yet. */
  readonly #queue: CallQueue<WorkerSlot, AcquireOptions>;
  readonly #upkeep: PoolUpkeep;
  readonly #title: string;
  readonly #policy: Readonly<SupervisorPolicy>;
  readonly #restarts: RestartPolicy;
  readonly #tell: PoolListener;
  #isStarted = false;
  /** Why no call is taken any more. */
  #refusal: RunnerError | undefined;

  constructor(options: PoolOptions) {
    const { title, clock, policy } = options;
    this.#title = title;
    this.#policy = policy;
    this.#restarts = options.restarts;
    this.#tell = options.listener;
    this.#queue = new CallQueue({ title, clock });
    this.line = new WaitingLine({
      ...{ title, clock, capacity: () => policy.maxQueue },
      places: {
        count: () => this.slots.length,
        // Before the start those that are to come: they will take their calls from the line at once.
        idle: () => this.slots.filter(({ isIdle }) => isIdle || !this.#isStarted).length,
        busy: () => this.inFlight,
      },
    });
    this.#upkeep = new PoolUpkeep({
      ...options,
      seated: (slot) => {
        this.#offer(slot);
      },
      opened: (error) => {
        this.#rejectAll(error);
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
    return this.#queue.count((o) => o.only === index || (worker !== undefined && o.keeper === worker));
  }

  /** Warm spares that are ready. */
  get spares(): number {
    return this.#upkeep.spares;
  }

  get inFlight(): number {
    return this.slots.filter(({ isBusy }) => isBusy).length;
  }

  /** Starts the workers. Rejects with the first failure; the pool is then to be stopped. */
  async start(): Promise<void> {
    await this.#upkeep.start();
    this.#isStarted = true;
  }

  /**
   * Lets a call in, when its turn to write its images has come; it calls the answer when it is over.
   *
   * @throws RunnerError `circuit_open`, `queue_full`, `timeout`, `aborted`, `closed`
   */
  async enter(o: Pick<AcquireOptions, 'lane' | 'deadline' | 'signal' | 'arrivedAt'>): Promise<() => void> {
    this.#checkServing();
    return this.line.enter(o);
  }

  /**
   * A free worker, or the next worker that becomes free.
   *
   * @throws RunnerError `circuit_open`, `timeout`, `aborted`, `closed`
   */
  async acquire(o: AcquireOptions): Promise<Lease> {
    this.#checkServing();
    const suits = (slot: WorkerSlot) => accepts(o, slot);
    for (let { isRetry } = o; ; isRetry = true) {
      const slot =
        this.#idleSlot(suits, o.prefer) ?? (await this.#queue.wait({ ...o, accepts: suits, isRetry }));
      slot.isBusy = true;
      const { worker } = slot;
      if (worker?.state === 'idle') {
        slot.call = o.call;
        this.#tell.changed();
        return { slot, worker };
      }
      // It left between the offer and now: back to the head of the queue.
      slot.isBusy = false;
      this.#offer(slot);
    }
  }

  /** The call is over: answered (`reply`), or not. */
  release({ slot, worker }: Lease, reply: WorkerReply | undefined): void {
    slot.isBusy = false;
    slot.calls++;
    const isFatal = reply !== undefined && isReplyFatal(reply, this.#policy);
    if (reply) slot.latency.add(reply.callMs);
    if (reply) slot.call = undefined;
    if (reply && !isFatal) this.#upkeep.proven(slot);
    // Gone, or on its way: its exit says what follows.
    if (slot.worker === worker && worker.state === 'idle') {
      if (isFatal) void worker.stop('fatal exception');
      else this.#upkeep.betweenCalls(slot);
    }
    this.#offer(slot);
    this.#tell.changed();
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
    this.#rejectAll(this.#refusal);
  }

  /** Ends every worker and every wait; resolves when the last process is gone. */
  async stop(reason = 'stopped'): Promise<void> {
    this.refuse();
    await this.#upkeep.stop(reason);
  }

  #idleSlot(suits: (slot: WorkerSlot) => boolean, prefer: number | undefined): WorkerSlot | undefined {
    const preferred = prefer === undefined ? undefined : this.slots[prefer];
    if (preferred?.isIdle && suits(preferred)) return preferred;
    return this.slots.find((slot) => slot.isIdle && suits(slot));
  }

  #offer(slot: WorkerSlot): void {
    if (!slot.isIdle || this.#refusal) return;
    // Taken before the waiter wakes, so that no other call slips in between.
    slot.isBusy = true;
    if (!this.#queue.offer(slot)) slot.isBusy = false;
  }

  #checkServing(): void {
    if (this.#refusal) throw this.#refusal;
    this.#upkeep.checkCircuit();
  }

  #rejectAll(error: RunnerError): void {
    this.line.rejectAll(error);
    this.#queue.rejectAll(error);
  }
}
