import { throwIfAborted, type OperationOptions } from '../abort.js';
import { checkTexts } from '../arguments.js';
import { SafeEmitter } from '../emitter.js';
import { FramePool } from '../frames/frame-pool.js';
import { Late } from '../late.js';
import { showAs } from '../readable.js';
import { systemClock } from './clock.js';
import type { ComparisonReport } from './comparison/comparison-report.js';
import type { Emit } from './deployments/deployment.js';
import type { SupervisorEngine } from './engine.js';
import { Gate } from './deployments/gate.js';
import { checkReadable } from './frames-readable.js';
import { doors, type AlgorithmSupervisorOptions, type ConfigureOptions } from './options.js';
import { resolvePolicy, type SupervisorPolicy, type VersionPolicy } from './policy.js';
import type { ReplayOptions } from './recording/replay.js';
import type { Recording, RecordOptions } from './recording/types.js';
import type { Shadow, ShadowOptions } from './onlookers/shadow-types.js';
import type { StartActiveOptions, StartReport } from './start-active.js';
import type { RollbackOptions, SwitchOptions } from './switching/types.js';
import { resolveLogOptions } from './worker-logs/log-folder.js';
import type { SupervisorEvents } from './events.js';
import type {
  AlgorithmInfo,
  CallOptions,
  InspectionRequest,
  InspectionResult,
  SupervisedStatus,
} from './types.js';

export type { AlgorithmSupervisorOptions, ConfigureOptions } from './options.js';

/**
 * Runs deployed algorithms as supervised services: pools of worker processes, one call in flight for each, restarted
 * when they fail, until they fail too often. Calls end in time, once, and with the caller's own answer.
 */
export class AlgorithmSupervisor extends SafeEmitter<SupervisorEvents> implements AsyncDisposable {
  /** The policy in force, defaults filled in. */
  readonly policy: Readonly<SupervisorPolicy>;
  readonly #gate = new Gate();
  readonly #frames: FramePool;
  readonly #ownsFrames: boolean;
  readonly #engine: Late<SupervisorEngine>;
  #closed: Promise<void> | undefined;

  /**
   * @throws RunnerError `invalid_params` without a registry, for an adapter or a policy that cannot be, or frames that
   * workers could not read
   */
  constructor(o: AlgorithmSupervisorOptions) {
    super();
    doors().supervisor.check(o);
    this.policy = resolvePolicy(o.policy);
    const { registry, clock = systemClock } = o;
    const { gid } = this.policy;
    if (o.frames) checkReadable(o.frames, gid);
    const flavour = o.worker ?? 'sdk';
    this.#frames = o.frames ?? new FramePool({ gid });
    this.#ownsFrames = o.frames === undefined;
    const emit: Emit = (name, ...args) => this.emit(name, ...(args as never));
    const { policy } = this;
    const workerLogs = resolveLogOptions(o.workerLogs);
    const parts = {
      ...{ gate: this.#gate, registry, frames: this.#frames, flavour, policy, clock, emit },
      ...{ workerLogs, logger: o.logger, given: o.policy ?? {} },
    };
    this.#engine = new Late(async () => {
      this.#gate.check('call');
      const { SupervisorEngine } = await import('./engine.js');
      return new SupervisorEngine(parts);
    });
    showAs(this, 'AlgorithmSupervisor', () => ({
      root: registry.layout.root,
      worker: flavour,
      deployments: this.#engine.made?.titles ?? [],
      closed: this.#closed !== undefined,
    }));
  }

  /**
   * Starts the workers of a version and resolves when all are ready. A started version keeps its workers, or gets as many
   * as `workers` says. This closes an open circuit, as {@link AlgorithmSupervisor.resetCircuit} does. `workers` overrides
   * the policy of the version, which overrides the supervisor's policy.
   *
   * @throws RunnerError `invalid_params`, `not_found`, `start_failed` (with the last lines of the worker's stderr),
   * `timeout` for a handshake or a model that takes too long, `aborted`, `closed`. Nothing of a failed start is left.
   */
  async start(name: string, version: string, o: { workers?: number } & OperationOptions = {}): Promise<void> {
    this.#gate.check('start');
    checkTexts('supervisor.start(name, version)', { name, version });
    doors().start.check(o);
    throwIfAborted(o.signal, 'start');
    await (await this.#engine.get()).start(name, version, o);
  }

  /**
   * Starts every version that a product id is mapped to, in the order in which they were mapped and at most `atOnce` side
   * by side: what a host does when it boots. A version that cannot start is in the report; the others start all the same.
   *
   * @throws RunnerError `invalid_params`, `store_failed`, `aborted`, `closed`
   */
  async startActive(o: StartActiveOptions = {}): Promise<StartReport> {
    this.#gate.check('startActive');
    doors().startActive.check(o);
    throwIfAborted(o.signal, 'startActive');
    return (await this.#engine.get()).startActive(o);
  }

  /**
   * Keeps a policy for one version in the store, in place of what was kept before; `{}` takes it away. It comes before the
   * supervisor's policy, for every supervisor on the store, and `status()` shows it. In force at once, while the version
   * runs: workers are started or stopped to the number it says. What is set up when a process starts (`limits`,
   * `resources`, `env`, `uid`, `gid`, `network`, `namespaces`, `worker`) is in force at the next start of the version.
   *
   * @throws RunnerError `invalid_params` naming the option, `not_found`, `lock_timeout`, `store_failed`, `aborted`, `closed`
   */
  async configure(
    name: string,
    version: string,
    policy: VersionPolicy,
    o: ConfigureOptions = {},
  ): Promise<void> {
    this.#gate.check('configure');
    checkTexts('supervisor.configure(name, version, policy)', { name, version });
    doors().configure.check(policy);
    doors().configureBy.check(o);
    throwIfAborted(o.signal, 'configure');
    await (await this.#engine.get()).configure(name, version, policy, o);
  }

  /**
   * Gives a started version more workers, or fewer: resolves when as many are ready. A worker that goes finishes its call
   * first. Until the next start: {@link AlgorithmSupervisor.configure} keeps a number.
   *
   * @throws RunnerError `invalid_params`, `not_initialized` for a version that is not started, `start_failed` (the workers
   * are then as many as before), `aborted`, `closed`
   */
  async scale(name: string, version: string, workers: number, o: OperationOptions = {}): Promise<void> {
    this.#gate.check('scale');
    checkTexts('supervisor.scale(name, version, workers)', { name, version });
    doors().scale.check({ ...o, workers });
    throwIfAborted(o.signal, 'scale');
    await (await this.#engine.get()).scale(name, version, workers, o.signal);
  }

  /**
   * Stops the workers of a version: calls that wait are rejected with `closed`, those that run are finished first.
   * Does nothing when the version is not started. With `signal` the wait ends early, and so do the calls that run.
   *
   * @throws RunnerError `invalid_params` for an argument of the wrong type
   */
  async stop(name: string, version: string, o: OperationOptions = {}): Promise<void> {
    checkTexts('supervisor.stop(name, version)', { name, version });
    doors().look.check(o);
    throwIfAborted(o.signal, 'stop');
    await this.#engine.made?.stop(name, version, o.signal);
  }

  /**
   * What the algorithm says of itself (`get_info()`; phased generation). Where the package's adapter has no `info`
   * phase, its code is asked by a probe in the version's own environment.
   *
   * @throws RunnerError `invalid_params`, `unsupported_phase` for the execute-only generation, `not_found`, and as
   * {@link AlgorithmSupervisor.execute}
   */
  async info(name: string, version: string, o: OperationOptions = {}): Promise<AlgorithmInfo> {
    this.#gate.check('info');
    checkTexts('supervisor.info(name, version)', { name, version });
    doors().look.check(o);
    throwIfAborted(o.signal, 'info');
    return (await this.#engine.get()).info(name, version, o.signal);
  }

  /**
   * The `pre_execute` of the phased generation: prepares a step and gives no verdict.
   *
   * @throws RunnerError `unsupported_phase` for the execute-only generation, and as {@link AlgorithmSupervisor.execute}
   */
  preExecute(request: InspectionRequest, o: CallOptions = {}): Promise<InspectionResult> {
    return this.#call('pre', request, o);
  }

  /**
   * Inspects one image. An algorithm that answers ERROR is a result.
   *
   * @throws RunnerError `invalid_params`, `invalid_image`, `unsupported_image`, `not_found`, `start_failed`,
   * `timeout`, `worker_exited`, `heartbeat_lost`, `protocol_error`, `contract_violation`, `queue_full`,
   * `circuit_open`, `pool_full`, `aborted`, `closed`
   */
  execute(request: InspectionRequest, o: CallOptions = {}): Promise<InspectionResult> {
    return this.#call('execute', request, o);
  }

  /**
   * Lets the algorithm forget a session, at every worker that had a call of it (the `reset` phase, where the adapter
   * has one; the other SDKs keep nothing from one call to the next).
   *
   * @throws RunnerError `invalid_params`, as {@link AlgorithmSupervisor.execute}
   */
  async reset(session: { id: string }, o: OperationOptions = {}): Promise<void> {
    this.#gate.check('reset');
    doors().session.check(session);
    doors().look.check(o);
    throwIfAborted(o.signal, 'reset');
    await this.#engine.made?.reset(session.id, o.signal);
  }

  /**
   * Moves product ids to a version without losing a call: it is started beside the old one, made ready, warmed up if
   * that is asked for, and mapped in one commit; the next call goes to it. The old version finishes what it has and is
   * stopped when no id uses it; with `probation` it stays ready until the trial is over, and comes back by itself when
   * the new one fails it. Resolves when the product ids are served by the new version; the events `accepted` and `drained`
   * tell when a trial has ended and when the old version has stopped.
   *
   * When the new version cannot start or fails its warm-up, nothing has changed. The same is true after an abort before
   * the ids are mapped; later the signal has no effect. Switches of different product ids run in parallel. A newer
   * switch of a product id ends an older switch that still warms up, which rejects with `superseded`. A switch to a
   * version that is active already makes sure that it is ready, and leaves a trial of it as it is.
   *
   * A trial belongs to the supervisor that began it: when that is closed or its process dies, the trial is over without a
   * verdict, and the new version stays. Ids that nobody served before are not on trial: there is nothing to go back to.
   *
   * @throws RunnerError `invalid_params`, `not_found`, `invalid_pid`, `version_barred`, `start_failed`, `timeout`,
   * `superseded`, `aborted`, `closed`, and what the warm-up call fails with
   */
  async switch(o: SwitchOptions): Promise<void> {
    this.#gate.check('switch');
    doors().switch.check(o);
    await (await this.#engine.get()).switcher.switch(o);
  }

  /**
   * Goes back to the version that served a product id before, or to any that is kept, by the same path as a switch. A version that still
   * runs is not started again: the rollback is one commit.
   *
   * @throws RunnerError `invalid_params`, as {@link AlgorithmSupervisor.switch}
   */
  async rollback(o: RollbackOptions): Promise<void> {
    this.#gate.check('rollback');
    doors().rollback.check(o);
    await (await this.#engine.get()).switcher.rollback(o);
  }

  /**
   * Tries a candidate version on calls as they run, without a part in them: it reads the same frames, is called only
   * when it has time, and its answers are compared, emitted as `shadow` events and summed up in the report.
   *
   * @throws RunnerError `invalid_params`, `not_found`, `start_failed`, `timeout`, `aborted`, `closed`
   */
  async shadow(o: ShadowOptions): Promise<Shadow> {
    this.#gate.check('shadow');
    doors().shadow.check(o);
    return (await this.#engine.get()).onlookers.shadow(o);
  }

  /**
   * Records calls (request, image, answer, timing) to a folder, bounded in bytes, until it is stopped. The format is
   * that of {@link RecordedCall}. Images are copied from the frames the worker reads; no answer waits for the disk.
   *
   * @throws RunnerError `invalid_params` for a folder with something else in it, `lock_timeout` for a folder that
   * another recorder uses, `store_failed`, `aborted`, `closed`
   */
  async record(o: RecordOptions): Promise<Recording> {
    this.#gate.check('record');
    doors().record.check(o);
    return (await this.#engine.get()).onlookers.record(o);
  }

  /**
   * Makes the calls of a recording again at any deployed version, one after the other, and compares the answers with
   * the recorded ones. A version that is started for this alone is stopped afterwards.
   *
   * @throws RunnerError `invalid_params` for a folder that is no recording, `not_found`, `start_failed`, `aborted`,
   * `closed`
   */
  async replay(o: ReplayOptions): Promise<ComparisonReport> {
    this.#gate.check('replay');
    doors().replay.check(o);
    return (await this.#engine.get()).replay(o);
  }

  /**
   * Closes the circuit of a version by hand; resolves when a worker is ready.
   *
   * @throws RunnerError `invalid_params` for an argument of the wrong type
   */
  async resetCircuit(name: string, version: string, o: OperationOptions = {}): Promise<void> {
    this.#gate.check('resetCircuit');
    checkTexts('supervisor.resetCircuit(name, version)', { name, version });
    doors().look.check(o);
    await this.#engine.made?.resetCircuit(name, version, o.signal);
  }

  /** Every version that is started, and each of its workers. */
  status(): SupervisedStatus[] {
    return this.#engine.made?.status() ?? [];
  }

  /** Ends everything: calls that wait or run are rejected with `closed`; no process, timer or frame is left. */
  close(): Promise<void> {
    this.#gate.shut();
    return (this.#closed ??= (async () => {
      const engine = await this.#engine.begun?.catch(() => undefined); // an engine that could not be loaded has nothing open
      await engine?.close();
      if (this.#ownsFrames) await this.#frames.close();
    })());
  }

  /** See {@link AlgorithmSupervisor.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #call(
    phase: 'pre' | 'execute',
    request: InspectionRequest,
    o: CallOptions,
  ): Promise<InspectionResult> {
    doors().look.check(o);
    // Without a wait where there is none: a call counts from the moment it is made.
    return (this.#engine.made ?? (await this.#engine.get())).calls.call(phase, request, o);
  }
}
