import { RunnerError } from '../errors.js';
import type { AlgorithmWorker } from '../worker/algorithm-worker.js';
import type { WorkerExit, WorkerReady, WorkerReply } from '../worker/types.js';
import { CallQueue } from './call-queue.js';
import type { Clock } from './clock.js';
import { accepts, type AcquireOptions, type Lease } from './lease.js';
import type { SupervisorPolicy } from './policy.js';
import { circuitOpen, stopped } from './pool-errors.js';
import { passOn, type PoolListener } from './pool-listener.js';
import { isDueForRecycling } from './recycling.js';
import type { CircuitState, RestartDecision, RestartPolicy } from './restart-policy.js';
import { WaitingLine } from './waiting-line.js';
import { WarmSpares } from './warm-spares.js';
import { WorkerSlot } from './worker-slot.js';

/** Failures of a ready worker that speak against it. A timeout or an abort speaks of the call. */
const CRASHES: ReadonlySet<string> = new Set(['worker_exited', 'heartbeat_lost', 'protocol_error']);
/** While the last worker of an opened circuit is on its way out, how often it is looked for. */
const PROBE_AGAIN_MS = 50;

/**
 * The workers of one deployment: as many as were asked for, each with at most one call. What fails is replaced as the
 * restart policy says, what has grown old is replaced between calls by a successor that is ready before it goes.
 */
export class WorkerPool {
  /** Calls from their admission to their end. */
  readonly line: WaitingLine;
  /** Calls whose images are written, and that have no worker yet. */
  readonly #queue: CallQueue<WorkerSlot>;
  readonly #title: string;
  readonly #make: () => AlgorithmWorker;
  readonly #policy: Readonly<SupervisorPolicy>;
  readonly #restarts: RestartPolicy;
  readonly #clock: Clock;
  readonly #tell: PoolListener;
  readonly #alive = new Set<AlgorithmWorker>();
  /** Workers that have exited and may have left processes of their own. */
  readonly #leaving = new Set<Promise<void>>();
  readonly #spares: WarmSpares;
  #slots: WorkerSlot[] = [];
  #cancelProbe: (() => void) | undefined;
  #circuitError: RunnerError | undefined;
  #isStopping = false;

  constructor(options: {
    title: string;
    make: () => AlgorithmWorker;
    policy: Readonly<SupervisorPolicy>;
    restarts: RestartPolicy;
    clock: Clock;
    listener: PoolListener;
  }) {
    this.#title = options.title;
    this.#make = options.make;
    this.#policy = options.policy;
    this.#restarts = options.restarts;
    this.#clock = options.clock;
    this.#tell = options.listener;
    const about = { title: this.#title, clock: this.#clock };
    this.#queue = new CallQueue(about);
    this.line = new WaitingLine({
      ...about,
      capacity: this.#policy.maxQueue,
      places: {
        count: () => this.#slots.length,
        idle: () => this.#slots.filter(({ isIdle }) => isIdle).length,
        busy: () => this.inFlight,
      },
    });
    this.#spares = new WarmSpares(this.#policy.warmSpares, (place) => this.#boot(place), {
      ready: (worker) => {
        if (worker.ready) this.#tell.ready(undefined, worker.ready);
      },
      failed: (error) => {
        if (!this.#isStopping) this.#tell.failure(undefined, error);
      },
    });
  }

  get slots(): readonly WorkerSlot[] {
    return this.#slots;
  }

  get circuit(): CircuitState {
    return this.#restarts.state;
  }

  /** What the handshake of a ready worker told. */
  get ready(): WorkerReady | undefined {
    return this.#slots.find(({ worker }) => worker?.ready)?.worker?.ready;
  }

  /** Warm spares that are ready. */
  get spares(): number {
    return this.#spares.count;
  }

  get inFlight(): number {
    return this.#slots.filter(({ isBusy }) => isBusy).length;
  }

  /** Starts `count` workers. Rejects with the first failure; the pool is then to be stopped. */
  async start(count: number): Promise<void> {
    const now = this.#clock.now();
    if (this.#restarts.state === 'open' && !this.#restarts.probe(now))
      throw circuitOpen(this.#title, this.#circuitError);
    this.#slots = Array.from({ length: count }, (_, index) => new WorkerSlot(index));
    // On probation one worker must show first that it can.
    const first = this.#restarts.state === 'half-open' ? this.#slots.slice(0, 1) : this.#slots;
    await Promise.all(
      first.map(async (slot) => {
        try {
          await this.#launch(slot);
        } catch (error) {
          const decision = this.#restarts.failed(slot.index, this.#clock.now());
          if (decision.kind === 'open' && RunnerError.is(error)) {
            this.#tell.circuitOpen(decision.reason, decision.coolDownMs, error);
          }
          throw error;
        }
      }),
    );
    if (this.#restarts.state === 'closed') this.#spares.fill();
  }

  /**
   * Lets a call in, when its turn to write its images has come; it calls the answer when it is over.
   *
   * @throws RunnerError `circuit_open`, `queue_full`, `timeout`, `aborted`, `closed`
   */
  async enter(o: Pick<AcquireOptions, 'lane' | 'deadline' | 'signal'>): Promise<() => void> {
    this.#checkServing();
    return this.line.enter(o);
  }

  /**
   * A free worker, or the next one that becomes free.
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
    if (reply) {
      slot.latency.add(reply.callMs);
      if (this.#restarts.proven(slot.index)) this.#onCircuitClosed();
    }
    // Gone, or on its way: its exit says what follows.
    if (slot.worker === worker && worker.state === 'idle') {
      slot.callsOfWorker++;
      if (slot.successor) this.#seatSuccessor(slot);
      else if (this.#restarts.state === 'open') void worker.stop('circuit open');
      else this.#recycleIfDue(slot);
    }
    this.#offer(slot);
    this.#tell.changed();
  }

  /** Closes the circuit by hand and starts what is missing. */
  resetCircuit(): void {
    const wasClosed = this.#restarts.state === 'closed';
    this.#restarts.reset();
    if (!wasClosed) this.#onCircuitClosed();
  }

  /** Takes no more calls and starts no more workers; calls that run go on. */
  refuse(error?: RunnerError): void {
    this.#isStopping = true;
    this.#cancelProbe?.();
    for (const slot of this.#slots) slot.cancelTimers();
    this.#rejectAll(error ?? stopped(this.#title));
  }

  /** Ends every worker and every wait; resolves when the last process is gone. */
  async stop(reason = 'stopped'): Promise<void> {
    this.refuse();
    await Promise.all([...this.#alive].map((worker) => worker.stop(reason)));
    await Promise.all(this.#leaving);
  }

  #idleSlot(suits: (slot: WorkerSlot) => boolean, prefer: number | undefined): WorkerSlot | undefined {
    const preferred = prefer === undefined ? undefined : this.#slots[prefer];
    if (preferred?.isIdle && suits(preferred)) return preferred;
    return this.#slots.find((slot) => slot.isIdle && suits(slot));
  }

  #offer(slot: WorkerSlot): void {
    if (!slot.isIdle || this.#isStopping) return;
    // Taken before the waiter wakes, so that no other call slips in between.
    slot.isBusy = true;
    if (!this.#queue.offer(slot)) slot.isBusy = false;
  }

  /** Starts a worker and tells of all it says. Resolves when it is ready. */
  async #boot(place: () => number | undefined): Promise<AlgorithmWorker> {
    const worker = this.#make();
    const tell = this.#tell;
    passOn(worker, place, tell);
    worker.once('exit', (exit) => {
      this.#alive.delete(worker);
      const gone = worker.gone().then(() => void this.#leaving.delete(gone));
      this.#leaving.add(gone);
      tell.exit(place(), exit, worker.pid);
      this.#onExit(worker, exit);
      tell.changed();
    });
    this.#alive.add(worker);
    try {
      await worker.start();
    } catch (error) {
      this.#alive.delete(worker);
      throw error;
    }
    if (this.#isStopping) {
      await worker.stop('stopped');
      throw stopped(this.#title);
    }
    return worker;
  }

  async #launch(slot: WorkerSlot): Promise<void> {
    slot.isStarting = true;
    this.#tell.changed();
    try {
      const worker = await this.#boot(() => slot.index);
      this.#seat(slot, worker);
    } catch (error) {
      if (RunnerError.is(error)) slot.lastError = error;
      throw error;
    } finally {
      slot.isStarting = false;
      this.#tell.changed();
    }
  }

  #seat(slot: WorkerSlot, worker: AlgorithmWorker): void {
    if (this.#restarts.state === 'open') {
      void worker.stop('circuit open'); // it opened while this one was starting
      return;
    }
    slot.seat(worker, this.#clock.now());
    slot.isStarting = false;
    slot.cancelStable = this.#clock.after(this.#policy.stableMs, () => {
      if (this.#restarts.proven(slot.index)) this.#onCircuitClosed();
    });
    if (worker.ready) this.#tell.ready(slot.index, worker.ready);
    this.#offer(slot);
  }

  #onExit(worker: AlgorithmWorker, exit: WorkerExit): void {
    if (this.#spares.forget(worker)) return;
    const slot = this.#slots.find(
      (candidate) => candidate.worker === worker || candidate.successor === worker,
    );
    if (!slot) return; // it never stood, or was replaced
    if (slot.successor === worker) {
      slot.successor = undefined;
      slot.isRecycling = false;
      return;
    }
    slot.vacate();
    if (exit.error) slot.lastError = exit.error;
    if (this.#isStopping || this.#restarts.state === 'open') return;
    if (slot.successor) this.#seatSuccessor(slot);
    else if (exit.error && CRASHES.has(exit.error.code)) this.#afterFailure(slot, exit.error, exit.reason);
    else this.#replace(slot, 1, 0, exit.reason);
  }

  /** Asks the policy what follows. */
  #afterFailure(slot: WorkerSlot, error: RunnerError, reason: string): void {
    const decision = this.#restarts.failed(slot.index, this.#clock.now());
    if (decision.kind === 'open') this.#openCircuit(decision, error);
    else this.#replace(slot, decision.attempt, decision.delayMs, reason);
  }

  /** A spare at once, else a start when its time has come. */
  #replace(slot: WorkerSlot, attempt: number, delayMs: number, reason: string): void {
    slot.restarts++;
    this.#tell.restart(slot.index, attempt, delayMs, reason);
    const spare = this.#spares.take(slot.index);
    if (spare) {
      this.#seat(slot, spare);
      this.#spares.fill();
    } else if (delayMs === 0) {
      this.#relaunch(slot);
    } else {
      slot.cancelStart = this.#clock.after(delayMs, () => {
        slot.cancelStart = undefined;
        this.#relaunch(slot);
      });
    }
  }

  #relaunch(slot: WorkerSlot): void {
    this.#launch(slot).catch((error: unknown) => {
      if (this.#isStopping || !RunnerError.is(error)) return;
      this.#tell.failure(slot.index, error);
      // Also in the half-open circuit: there it is the probe that failed.
      if (this.#restarts.state !== 'open') this.#afterFailure(slot, error, 'start failed');
    });
  }

  #openCircuit(decision: RestartDecision & { kind: 'open' }, cause: RunnerError | undefined): void {
    const { coolDownMs, reason } = decision;
    this.#circuitError = cause;
    const error = circuitOpen(this.#title, this.#circuitError);
    this.#rejectAll(error);
    for (const slot of this.#slots) {
      slot.cancelTimers();
      if (!slot.isBusy) void slot.worker?.stop('circuit open');
    }
    this.#spares.dismiss('circuit open');
    this.#cancelProbe = this.#clock.after(coolDownMs, () => {
      this.#probe();
    });
    this.#tell.circuitOpen(reason, coolDownMs, error);
  }

  #probe(): void {
    this.#cancelProbe = undefined;
    const [slot] = this.#slots;
    if (this.#isStopping || !slot) return;
    if (slot.isVacant && this.#restarts.probe(this.#clock.now())) {
      this.#relaunch(slot);
      return;
    }
    // Its last worker is still on its way out, or the timer was early.
    this.#cancelProbe = this.#clock.after(PROBE_AGAIN_MS, () => {
      this.#probe();
    });
  }

  #onCircuitClosed(): void {
    this.#cancelProbe?.();
    this.#cancelProbe = undefined;
    this.#circuitError = undefined;
    this.#tell.circuitClosed();
    if (this.#isStopping) return;
    for (const slot of this.#slots) if (slot.isVacant) this.#relaunch(slot);
    this.#spares.fill();
  }

  #recycleIfDue(slot: WorkerSlot): void {
    if (slot.isRecycling || this.#queue.size > 0 || !this.line.isShort) return;
    if (!isDueForRecycling(slot, this.#policy)) return;
    slot.isRecycling = true;
    this.#boot(() => slot.index)
      .then((worker) => {
        slot.successor = worker;
        if (!slot.isBusy) this.#seatSuccessor(slot);
      })
      .catch((error: unknown) => {
        slot.isRecycling = false;
        slot.callsOfWorker = 0; // tried again after as many calls more
        if (RunnerError.is(error) && !this.#isStopping) this.#tell.failure(slot.index, error);
      });
  }

  #seatSuccessor(slot: WorkerSlot): void {
    const { worker: old, successor } = slot;
    if (!successor) return;
    slot.vacate();
    slot.successor = undefined;
    slot.isRecycling = false;
    if (old) {
      this.#tell.recycled(slot.index, old.pid);
      void old.stop('recycled');
    }
    this.#seat(slot, successor);
  }

  #checkServing(): void {
    if (this.#isStopping) throw stopped(this.#title);
    if (this.#restarts.state === 'open') throw circuitOpen(this.#title, this.#circuitError);
  }

  #rejectAll(error: RunnerError): void {
    this.line.rejectAll(error);
    this.#queue.rejectAll(error);
  }
}
