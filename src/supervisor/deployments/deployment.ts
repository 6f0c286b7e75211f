import { RunnerError } from '../../errors.js';
import type { FramePool } from '../../frames/frame-pool.js';
import { CallParameters } from '../../parameters/call-parameters.js';
import { activationLog } from '../../registry/records.js';
import type { Registry } from '../../registry/registry.js';
import type { RegistryEntry } from '../../registry/types.js';
import type { VersionUse } from '../../registry/uses.js';
import { noteAudit } from '../../store/audit-log.js';
import { AlgorithmWorker } from '../../worker/algorithm-worker.js';
import type { WorkerCall, WorkerFlavour, WorkerReady, WorkerReply, WorkerSpec } from '../../worker/types.js';
import type { Clock, Deadline } from '../clock.js';
import { checkedAssets } from './assets.js';
import { deploymentStatus } from './deployment-status.js';
import { LatencyWindow } from '../latency.js';
import type { SupervisorPolicy } from '../policy.js';
import { startFailure } from '../pool/pool-errors.js';
import type { GpuMemory } from '../pool/gpu-memory.js';
import type { RestartPolicy } from '../pool/restart-policy.js';
import type { SupervisorEvents } from '../events.js';
import type { SupervisedState, SupervisedStatus } from '../types.js';
import type { ForkServers } from '../warm-start/fork-servers.js';
import { warmStartOf, type WarmStart } from '../warm-start/warm-start.js';
import type { PoolEvent, PoolEventFacts, Tell } from '../pool/worker-launcher.js';
import { WorkerPool } from '../pool/worker-pool.js';
import { hasPillow, workerSpecOf } from '../pool/worker-spec.js';

/** Passes an event on to the supervisor's listeners. */
export type Emit = <Name extends keyof SupervisorEvents>(
  name: Name,
  ...args: SupervisorEvents[Name]
) => unknown;

/** What deployments of one supervisor share. */
export interface DeploymentContext {
  registry: Registry;
  frames: FramePool;
  flavour: WorkerFlavour;
  policy: Readonly<SupervisorPolicy>;
  clock: Clock;
  gpus: GpuMemory;
  emit: Emit;
  servers: ForkServers;
}

/** One version that is started: its workers, its mark in the registry, its state. */
export class Deployment {
  readonly entry: RegistryEntry;
  /** Of answered calls, from the request to the result. */
  readonly latency = new LatencyWindow();
  readonly pool: WorkerPool;
  /** What its calls are set to; made anew where the policy says otherwise from now on. */
  parameters: CallParameters;
  /** Resolves when all workers are ready; rejects with what kept them from it. */
  readonly ready: Promise<void>;
  /** Whether its package can decode JPEG and PNG. */
  readonly hasPillow = () => hasPillow(this.#context.registry.layout, this.entry);
  /** Started by name, by a start that nobody may take back any more. */
  isPinned = false;
  /** Product ids whose calls came here. */
  readonly servedPids = new Set<string>();
  readonly #context: DeploymentContext;
  readonly #createdAt: number;
  readonly #about: { readonly name: string; readonly version: string };
  readonly #onStopped: () => void;
  readonly #warmStart: WarmStart;
  #spec: WorkerSpec | undefined;
  #use: VersionUse | undefined;
  #state: SupervisedState = 'deployed';
  #isReady = false;
  #retainCount = 0;
  #keeps = 0;
  #idleWaiters: (() => void)[] = [];
  #stopped: Promise<void> | undefined;
  #lastError: RunnerError | undefined;
  #notedBounds: string | undefined;
  #noted: Promise<void> | undefined;
  #scaled: Promise<void> = Promise.resolve();
  readonly #awaitingReady = new Set<{ resolve: () => void; reject: (error: RunnerError) => void }>();
  /** What an event of the workers means for those who wait, besides its event. */
  readonly #reactions: { readonly [Name in PoolEvent]?: (facts: PoolEventFacts<Name>) => void } = {
    ready: ({ worker }) => {
      if (worker === undefined) return; // a spare serves nobody yet
      for (const { resolve } of this.#awaitingReady) resolve();
      this.#awaitingReady.clear();
    },
    exit: ({ error }) => {
      this.#lastError = error ?? this.#lastError;
    },
    error: ({ error }) => {
      this.#lastError = error;
    },
    circuitOpen: ({ error }) => {
      for (const { reject } of this.#awaitingReady) reject(error);
      this.#awaitingReady.clear();
    },
  };

  readonly #tell: Tell = (event, facts) => {
    this.#reactions[event]?.(facts);
    this.#context.emit(event, ...([{ ...this.#about, ...facts }] as SupervisorEvents[typeof event]));
  };

  constructor(
    context: DeploymentContext,
    entry: RegistryEntry,
    restarts: RestartPolicy,
    workers: number,
    onStopped: () => void,
  ) {
    this.#onStopped = onStopped;
    const { policy, clock } = context;
    const { limits } = policy; // of this start, whatever becomes of the policy
    this.#context = context;
    this.entry = entry;
    this.#about = { name: entry.name, version: entry.version };
    this.parameters = callParametersOf(entry, policy);
    this.#createdAt = clock.now();
    this.#warmStart = warmStartOf(context, this, (status) =>
      context.emit('warmStart', { ...this.#about, ...status }),
    );
    this.pool = new WorkerPool({
      title: this.title,
      make: (server) => {
        if (!this.#spec) throw new Error('workers are made once the specification is known');
        const own = server ? this.#warmStart.forkedLimits : limits;
        const after = (delayMs: number, run: () => void) => clock.after(delayMs, run);
        const worker = new AlgorithmWorker(this.#spec, own, after, server);
        worker.once('ready', (ready) => {
          this.#noteBounds(ready);
          void context.gpus.look();
        });
        return worker;
      },
      warmStart: this.#warmStart,
      workers,
      policy,
      restarts,
      clock,
      tell: this.#tell,
      changed: () => {
        this.#update();
      },
    });
    this.ready = this.#start();
    this.ready.catch(() => undefined); // the waiting callers and an event report it
  }

  get title(): string {
    return `${this.entry.name} ${this.entry.version}`;
  }

  /** Whether its workers have a session's values from one call to the next. */
  get keepsSessions(): boolean {
    return this.#context.flavour === 'bundled';
  }

  /** Formats of more than 8 bits that its workers take as they are: the SDK's adapter would cut them to their low byte. */
  get imageFormats(): readonly string[] {
    return this.#spec?.flavour === 'bundled' ? (this.entry.image_formats ?? []) : [];
  }

  /** What it runs by; changed while it runs. */
  get policy(): Readonly<SupervisorPolicy> {
    return this.#context.policy;
  }

  /**
   * Applies a policy that may have changed. `resolve` updates the policy object. The number of workers follows if it
   * changed.
   */
  followPolicy(resolve: () => unknown): void {
    const { workers, parameters } = this.policy;
    resolve();
    if (this.policy.parameters !== parameters) {
      const { standard } = this.parameters;
      this.parameters = callParametersOf(this.entry, this.policy);
      this.parameters.standard = standard;
    }
    this.pool.policyChanged();
    if (this.policy.workers !== workers) this.scale(this.policy.workers).catch(() => undefined);
  }

  /** Gives it so many workers; resolves when they are ready. Changes are made one after the other. */
  scale(workers: number): Promise<void> {
    const scaled = this.#scaled
      .catch(() => undefined)
      .then(async () => {
        await this.serving();
        await this.pool.scale(workers);
      });
    this.#scaled = scaled;
    return scaled;
  }

  /** Resolves when the number of workers is as it was asked for last. */
  scaled(): Promise<void> {
    return this.#scaled;
  }

  get state(): SupervisedState {
    return this.#state;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Whether it takes no more calls. */
  get isEnding(): boolean {
    return this.#stopped !== undefined;
  }

  /** A call counts on this deployment, until the answer is called. */
  retain(): () => void {
    this.#retainCount++;
    let isRetained = true;
    return () => {
      if (!isRetained) return;
      isRetained = false;
      if (--this.#retainCount === 0) for (const resolve of this.#idleWaiters.splice(0)) resolve();
    };
  }

  /** Resolves, in the moment it is true, when no call counts on this deployment. */
  whenIdle(): Promise<void> {
    if (this.#retainCount === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  get isRetained(): boolean {
    return this.#retainCount > 0;
  }

  /** Keeps the workers ready although no product id is served by them, until the answer is called. */
  keep(): () => void {
    this.#keeps++;
    let isKept = true;
    return () => {
      if (isKept) this.#keeps--;
      isKept = false;
    };
  }

  get isKept(): boolean {
    return this.#keeps > 0;
  }

  /** One call that is about no image, at any worker or at the one given. Not retried. An ERROR answer is thrown. */
  async ask(call: WorkerCall, deadline: Deadline, worker?: number): Promise<WorkerReply> {
    const patience = { deadline: deadline.at, signal: deadline.signal };
    const turn = this.pool.admit(call.phase);
    let reply: WorkerReply | undefined;
    try {
      await this.pool.letOn(turn, patience);
      const lease = await this.pool.acquire(turn, { ...patience, only: worker });
      try {
        const timeoutMs = Math.max(1, Math.ceil(deadline.leftMs));
        reply = await lease.worker.call(call, {
          ...{ timeoutMs, reportedTimeoutMs: deadline.timeoutMs, signal: deadline.signal },
        });
      } finally {
        this.pool.release(lease, reply);
      }
    } finally {
      this.pool.leave(turn);
    }
    if (reply.status === 'OK') return reply;
    throw new RunnerError('execute_exception', `${this.title} failed at ${call.phase}: ${reply.message}`, {
      errorCode: reply.errorCode,
      details: { stage: call.phase, raw: reply },
    });
  }

  /** Resolves when a worker is ready; a circuit that is not closed is closed by hand for that. */
  async serving(): Promise<void> {
    await this.ready;
    if (this.isEnding) throw new RunnerError('closed', `${this.title} was stopped`);
    if (this.pool.circuit === 'closed' && this.pool.ready) return;
    const ready = new Promise<void>((resolve, reject) => {
      this.#awaitingReady.add({ resolve, reject });
    });
    if (this.pool.circuit !== 'closed') this.pool.resetCircuit();
    return ready;
  }

  /**
   * Ends the workers and gives up the mark in the registry. Calls that wait are rejected; calls that run are too,
   * unless they are to be finished.
   */
  stop(o: { reason?: string; error?: RunnerError; finishCalls?: boolean } = {}): Promise<void> {
    if (!o.finishCalls && this.#stopped) void this.pool.stop(o.reason); // hurries a stop that waits for its calls
    return (this.#stopped ??= this.#end(o));
  }

  /** All but its trials, which it knows nothing of. */
  status(): Omit<SupervisedStatus, 'trial' | 'canary'> {
    return deploymentStatus(this, {
      now: this.#context.clock.now(),
      createdAt: this.#createdAt,
      lastError: this.#lastError,
      env: this.#spec?.env,
      warmStart: this.#warmStart.status,
      ...{ registry: this.#context.registry, gpus: this.#context.gpus },
    });
  }

  async #start(): Promise<void> {
    const { registry, frames, flavour, policy, servers } = this.#context;
    this.#setState('starting');
    try {
      const { name, version } = this.entry;
      // Marked before anything runs: an uninstall sees the mark, or this sees that the version is gone.
      this.#use = await registry.use(name, version);
      const standard = await checkedAssets(registry.layout.deployed(name, version), this.entry);
      this.parameters.standard = standard;
      // Its own: what its workers do there reaches no other version.
      const frameDirectory = await servers.placeOf(this.entry, frames);
      this.#spec = workerSpecOf(registry.layout, this.entry, {
        ...{ frameDirectory, flavour, policy, workers: this.pool.slots.length },
      });
      await this.#warmStart.prepare(this.#spec);
      if (this.#stopped) throw new RunnerError('closed', `${this.title} was stopped while it started`);
      await this.pool.start();
      this.#isReady = true;
      this.#update();
    } catch (error) {
      const failure = startFailure(this.title, error);
      this.#lastError = failure;
      await this.stop({ reason: 'start failed', error: failure });
      throw failure;
    }
  }

  async #end(o: { reason?: string; error?: RunnerError; finishCalls?: boolean }): Promise<void> {
    await Promise.resolve(); // the promise is known before any listener runs
    this.#setState('stopping');
    const error = o.error ?? new RunnerError('closed', `${this.title} was stopped`);
    this.pool.refuse(error);
    for (const { reject } of this.#awaitingReady) reject(error);
    this.#awaitingReady.clear();
    if (o.finishCalls) await this.whenIdle();
    await Promise.all([this.pool.stop(o.reason), this.#warmStart.close()]);
    await this.#noted;
    // A mark that cannot be removed is void when this process ends. It is reported, and the stop goes on.
    await this.#use?.release().catch((failure: unknown) => {
      this.#context.emit('error', { ...this.#about, error: failure as RunnerError });
    });
    this.#onStopped();
    this.#setState('stopped');
  }

  #update(): void {
    if (this.#stopped || !this.#isReady) return;
    if (this.pool.circuit === 'open') this.#setState('failed');
    else if (this.pool.inFlight > 0) this.#setState('executing');
    else this.#setState(this.pool.ready ? 'running' : 'starting');
  }

  #setState(state: SupervisedState): void {
    const previous = this.#state;
    if (state === previous) return;
    this.#state = state;
    const { name, version } = this.#about;
    this.#context.emit('state', { name, version, state, previous });
  }

  /** The audit log tells what holds the workers, once, and again when that changes. */
  #noteBounds({ bounds }: WorkerReady): void {
    if (!bounds) return;
    const { scratch: _, ...noted } = bounds;
    const text = JSON.stringify(noted);
    if (text === this.#notedBounds) return;
    this.#notedBounds = text;
    const file = activationLog(this.#context.registry.layout);
    // A log that cannot be written stops no worker.
    this.#noted = noteAudit(file, { operation: 'contain', ...this.#about, bounds: noted });
  }
}

/** Rules that calls are held against, unless the policy says that they pass. */
function callParametersOf(entry: RegistryEntry, { parameters }: Readonly<SupervisorPolicy>): CallParameters {
  return new CallParameters(entry, parameters === 'check' ? entry.steps : undefined);
}
