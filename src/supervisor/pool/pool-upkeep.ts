import { RunnerError } from '../../errors.js';
import { bothProcessIds } from '../../product-ids.js';
import type { AlgorithmWorker } from '../../worker/algorithm-worker.js';
import type { WorkerExit } from '../../worker/types.js';
import type { ForkServer } from '../../worker/fork-server.js';
import type { Clock } from '../clock.js';
import type { WarmStart } from '../warm-start/warm-start.js';
import type { SupervisorPolicy } from '../policy.js';
import { circuitOpen } from './pool-errors.js';
import { isDueForRecycling } from './recycling.js';
import type { RestartDecision, RestartPolicy } from './restart-policy.js';
import { WarmSpares } from './warm-spares.js';
import { WorkerLauncher, type Tell } from './worker-launcher.js';
import { WorkerSlot } from './worker-slot.js';

/** Failures of a ready worker that speak against it. A timeout or an abort speaks of the call. */
const CRASHES: ReadonlySet<string> = new Set(['worker_exited', 'heartbeat_lost', 'protocol_error']);
/** While the last worker of an opened circuit is on its way out, how often it is looked for. */
const PROBE_AGAIN_MS = 50;

/** What a pool is made of. */
export interface PoolOptions {
  title: string;
  /** Makes a worker, to be forked from the server where one is given. */
  make: (server?: ForkServer) => AlgorithmWorker;
  warmStart: Pick<WarmStart, 'server' | 'doubted' | 'started' | 'renew'>;
  /** How many there are to be. */
  workers: number;
  policy: Readonly<SupervisorPolicy>;
  restarts: RestartPolicy;
  clock: Clock;
  tell: Tell;
  /** Something that `status()` shows has changed. */
  changed: () => void;
}

/** The same, and whom the upkeep tells. */
interface UpkeepContext extends PoolOptions {
  /** A ready worker has taken a place. */
  seated: (slot: WorkerSlot) => void;
  /** Nothing is started for a while: calls that wait are to hear it. */
  opened: (error: RunnerError) => void;
}

/**
 * Keeps the places of a pool filled. What fails is replaced as the restart policy says; when it fails too often the
 * circuit opens, and one worker is tried after the cool-down; what has grown old is replaced between calls by a
 * successor that is ready before it goes.
 */
export class PoolUpkeep {
  readonly #slots: WorkerSlot[];
  readonly #context: UpkeepContext;
  readonly #tell: Tell;
  readonly #changed: () => void;
  readonly #restarts: RestartPolicy;
  readonly #launcher: WorkerLauncher;
  readonly #spares: WarmSpares;
  #cancelProbe: (() => void) | undefined;
  #isHalted = false;

  constructor(context: UpkeepContext) {
    const { title, make, warmStart, tell, changed, policy, restarts, clock } = context;
    this.#context = context;
    this.#slots = Array.from({ length: context.workers }, (_, index) => new WorkerSlot(index));
    this.#tell = tell;
    this.#changed = changed;
    this.#restarts = restarts;
    this.#launcher = new WorkerLauncher({
      ...{ title, make, warmStart, tell, changed },
      onExit: (worker, exit) => {
        this.#onExit(worker, exit);
      },
    });
    this.#spares = new WarmSpares({
      wanted: () => policy.warmSpares,
      boot: (place) => this.#launcher.launch(place),
      later: (run) => clock.after(policy.maxBackoffMs, run),
      ready: (worker) => {
        this.#tellReady(undefined, worker);
      },
      failed: (error) => {
        if (!this.#isHalted) this.#tellFailure(undefined, error);
      },
    });
  }

  get slots(): readonly WorkerSlot[] {
    return this.#slots;
  }

  /** Warm spares that are ready. */
  get spares(): number {
    return this.#spares.count;
  }

  /** Starts the workers. Rejects with the first failure; the pool is then to be stopped. */
  async start(): Promise<void> {
    const { clock } = this.#context;
    if (this.#restarts.state === 'open' && !this.#restarts.probe(clock.now())) throw this.#circuitOpen();
    // On probation one worker must show first that it can.
    const first = this.#restarts.state === 'half-open' ? this.slots.slice(0, 1) : this.slots;
    await Promise.all(
      first.map(async (slot) => {
        try {
          await this.#launch(slot);
        } catch (error) {
          const failure = RunnerError.is(error) ? error : undefined;
          const decision = this.#restarts.failed(slot.index, clock.now(), { error: failure });
          if (decision.kind === 'open' && failure) {
            this.#tellOpen(decision, failure);
          }
          throw error;
        }
      }),
    );
    if (this.#restarts.state === 'closed') this.#spares.fill();
  }

  /**
   * Makes the places as many: resolves when workers stand at the new ones. A worker whose place is given up finishes its
   * call first. When a new worker cannot start, the places are as many as before, and it rejects with the reason.
   */
  async scale(workers: number): Promise<void> {
    const before = this.#slots.length;
    for (const slot of this.#slots.splice(workers)) this.#giveUp(slot);
    const added = Array.from({ length: workers - this.#slots.length }, (_, n) => new WorkerSlot(before + n));
    this.#slots.push(...added);
    this.#changed();
    // While the circuit is not closed nothing is started: its closing fills the places.
    if (this.#isHalted || this.#restarts.state !== 'closed') return;
    try {
      await Promise.all(added.map((slot) => this.#launch(slot)));
    } catch (error) {
      for (const slot of this.#slots.splice(before)) this.#giveUp(slot);
      throw error;
    }
  }

  /** The policy may say another number of warm spares. */
  policyChanged(): void {
    if (!this.#isHalted && this.#restarts.state === 'closed') this.#spares.fill();
  }

  /** @throws RunnerError `circuit_open` */
  checkCircuit(): void {
    if (this.#restarts.state === 'open') throw this.#circuitOpen();
  }

  /** Closes the circuit by hand and starts what is missing. */
  resetCircuit(): void {
    const wasClosed = this.#restarts.state === 'closed';
    this.#restarts.reset();
    if (!wasClosed) this.#onCircuitClosed();
  }

  /** The worker of a place has answered a call, or stood for long enough. */
  proven(slot: WorkerSlot): void {
    slot.isProven = slot.worker !== undefined;
    if (this.#restarts.proven(slot.index)) this.#onCircuitClosed();
  }

  /** A call, or so many, are over and their worker still stands: the moment for what must not disturb a call. */
  betweenCalls(slot: WorkerSlot, calls = 1): void {
    slot.callsOfWorker += calls;
    if (slot.isGivenUp) void slot.worker?.stop('scaled down');
    else if (slot.successor) this.#seatSuccessor(slot);
    else if (this.#restarts.state === 'open') void slot.worker?.stop('circuit open');
    else this.#recycleIfDue(slot);
  }

  /** Starts no more workers; those that stand go on. */
  halt(): void {
    this.#isHalted = true;
    this.#launcher.halt();
    this.#spares.halt();
    this.#cancelProbe?.();
    for (const slot of this.slots) slot.cancelTimers();
  }

  /** Ends every worker; resolves when the last process is gone. */
  async stop(reason: string): Promise<void> {
    this.halt();
    await this.#launcher.stop(reason);
  }

  async #launch(slot: WorkerSlot): Promise<void> {
    slot.isStarting = true;
    this.#changed();
    try {
      const worker = await this.#launcher.launch(() => slot.index);
      this.#seat(slot, worker);
    } catch (error) {
      if (RunnerError.is(error)) slot.lastError = error;
      throw error;
    } finally {
      slot.isStarting = false;
      this.#changed();
    }
  }

  #seat(slot: WorkerSlot, worker: AlgorithmWorker): void {
    // The circuit opened while this one was starting, the place was given up, or another one has taken it.
    if (this.#restarts.state === 'open' || slot.worker || slot.isGivenUp) {
      void worker.stop(slot.worker || slot.isGivenUp ? 'not needed' : 'circuit open');
      return;
    }
    const { clock, policy } = this.#context;
    slot.seat(worker, clock.now());
    slot.isStarting = false;
    slot.cancelStable = clock.after(policy.stableMs, () => {
      this.proven(slot);
    });
    this.#tellReady(slot.index, worker);
    this.#context.seated(slot);
  }

  #giveUp(slot: WorkerSlot): void {
    slot.isGivenUp = true;
    slot.cancelTimers();
    void slot.successor?.stop('scaled down');
    slot.successor = undefined;
    if (!slot.isBusy) void slot.worker?.stop('scaled down');
  }

  #onExit(worker: AlgorithmWorker, exit: WorkerExit): void {
    if (this.#spares.forget(worker)) return;
    const slot = this.slots.find(
      (candidate) => candidate.worker === worker || candidate.successor === worker,
    );
    if (!slot) return; // it never stood, or was replaced
    if (slot.successor === worker) {
      slot.successor = undefined;
      slot.isRecycling = false;
      return;
    }
    if (worker.isForked) this.#lookAtForked(slot, exit);
    slot.vacate();
    if (exit.error) slot.lastError = exit.error;
    if (this.#isHalted || this.#restarts.state === 'open') return;
    if (slot.successor) this.#seatSuccessor(slot);
    else if (exit.error && CRASHES.has(exit.error.code)) this.#afterFailure(slot, exit.error, exit.reason);
    else this.#replace(slot, 1, 0, exit.reason);
  }

  /** Its first call tells whether what it uses has survived the fork; a folder that it does not see is its server's too. */
  #lookAtForked(slot: WorkerSlot, { reason }: WorkerExit): void {
    const { warmStart } = this.#context;
    if (reason === 'timeout' && slot.callsOfWorker === 0)
      warmStart.doubted('a forked worker did not answer its first call in time');
    if (reason === 'cannot read its pictures') warmStart.renew();
  }

  /** Asks the policy what follows. */
  #afterFailure(slot: WorkerSlot, error: RunnerError, reason: string): void {
    const decision = this.#restarts.failed(slot.index, this.#context.clock.now(), {
      error,
      calls: slot.calledBy,
      // A worker that has answered since it was started, or has stood for long enough.
      isServed: this.slots.some((other) => other !== slot && other.isProven),
    });
    if (decision.kind === 'open') this.#openCircuit(decision);
    else this.#replace(slot, decision.attempt, decision.delayMs, reason);
  }

  /** A spare at once, else a start when its time has come. */
  #replace(slot: WorkerSlot, attempt: number, delayMs: number, reason: string): void {
    slot.restarts++;
    this.#tell('restart', { worker: slot.index, attempt, delayMs, reason });
    const spare = this.#spares.take(slot.index);
    if (spare) {
      this.#seat(slot, spare);
      this.#spares.fill();
    } else if (delayMs === 0) {
      this.#relaunch(slot);
    } else {
      slot.cancelStart = this.#context.clock.after(delayMs, () => {
        slot.cancelStart = undefined;
        this.#relaunch(slot);
      });
    }
  }

  #relaunch(slot: WorkerSlot): void {
    this.#launch(slot).catch((error: unknown) => {
      if (this.#isHalted || slot.isGivenUp || !RunnerError.is(error)) return;
      this.#tellFailure(slot.index, error);
      // Also in the half-open circuit: there it is the probe that failed.
      if (this.#restarts.state !== 'open') this.#afterFailure(slot, error, 'start failed');
    });
  }

  #openCircuit(decision: RestartDecision & { kind: 'open' }): void {
    const error = this.#circuitOpen();
    this.#context.opened(error);
    for (const slot of this.slots) {
      slot.cancelTimers();
      if (!slot.isBusy) void slot.worker?.stop('circuit open');
    }
    this.#spares.dismiss('circuit open');
    this.#probeAfter(decision.coolDownMs);
    this.#tellOpen(decision, error);
  }

  #probeAfter(delayMs: number): void {
    this.#cancelProbe = this.#context.clock.after(delayMs, () => {
      this.#probe();
    });
  }

  #probe(): void {
    this.#cancelProbe = undefined;
    const [slot] = this.slots;
    if (this.#isHalted || !slot) return;
    if (slot.isVacant && this.#restarts.probe(this.#context.clock.now())) this.#relaunch(slot);
    else this.#probeAfter(PROBE_AGAIN_MS); // its last worker is still on its way out, or the timer was early
  }

  #onCircuitClosed(): void {
    this.#cancelProbe?.();
    this.#cancelProbe = undefined;
    this.#tell('circuitClosed', {});
    this.#changed();
    if (this.#isHalted) return;
    for (const slot of this.slots) if (slot.isVacant) this.#relaunch(slot);
    this.#spares.fill();
  }

  #recycleIfDue(slot: WorkerSlot): void {
    if (slot.isRecycling || !isDueForRecycling(slot, this.#context.policy)) return;
    slot.isRecycling = true;
    const { worker: old } = slot;
    this.#launcher
      .launch(() => slot.index)
      .then((worker) => {
        if (slot.worker === old && !slot.isGivenUp) {
          slot.successor = worker;
          if (!slot.isBusy) this.#seatSuccessor(slot);
        } else {
          // The old worker died during the start, and may have been replaced by now.
          slot.isRecycling = false;
          slot.cancelStart?.();
          slot.cancelStart = undefined;
          this.#seat(slot, worker);
        }
      })
      .catch((error: unknown) => {
        if (this.#isHalted || slot.isGivenUp || !RunnerError.is(error)) return;
        // Tried again, but not with every call.
        slot.cancelRecycling = this.#context.clock.after(this.#context.policy.maxBackoffMs, () => {
          slot.isRecycling = false;
        });
        this.#tellFailure(slot.index, error);
      });
  }

  #tellReady(worker: number | undefined, { ready }: AlgorithmWorker): void {
    if (!ready) return;
    const { processId, generation, sdkVersion, startMs } = ready;
    this.#tell('ready', { worker, ...bothProcessIds(processId), generation, sdkVersion, startMs });
  }

  #tellOpen({ reason, coolDownMs }: RestartDecision & { kind: 'open' }, error: RunnerError): void {
    this.#changed();
    this.#tell('circuitOpen', { reason, coolDownMs, error });
  }

  #tellFailure(worker: number | undefined, error: RunnerError): void {
    if (!this.#launcher.isReported(error)) this.#tell('error', { worker, error });
  }

  #seatSuccessor(slot: WorkerSlot): void {
    const { worker: old, successor } = slot;
    if (!successor) return;
    slot.vacate();
    slot.successor = undefined;
    slot.isRecycling = false;
    if (old) {
      this.#tell('recycled', { worker: slot.index, ...bothProcessIds(old.processId) });
      void old.stop('recycled');
    }
    this.#seat(slot, successor);
  }

  #circuitOpen(): RunnerError {
    return circuitOpen(this.#context.title, this.#restarts.cause);
  }
}
