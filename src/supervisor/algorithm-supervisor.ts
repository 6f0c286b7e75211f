import { settleOrAbort, throwIfAborted, type OperationOptions } from '../abort.js';
import { asGiven, checkStrings } from '../arguments.js';
import { useAssets } from '../assets.js';
import { SafeEmitter } from '../emitter.js';
import { RunnerError } from '../errors.js';
import { FramePool } from '../frames/frame-pool.js';
import type { Door } from '../options.js';
import type { VersionRef } from '../package/types.js';
import { plainText, showAs } from '../readable.js';
import { systemClock } from './clock.js';
import type { SupervisorEvents } from './events.js';
import { checkReadable } from './frames-readable.js';
import type { CallObserver } from './calls/call-observer.js';
import type { RetainedVersion } from './observers.js';
import { doors, type AlgorithmSupervisorOptions, type ConfigureOptions } from './options.js';
import type { SupervisorContext, SupervisorParts } from './parts.js';
import { resolvePolicy, type SupervisorPolicy, type VersionPolicy } from './policy.js';
import type {
  ComparisonReport,
  Recording,
  RecordOptions,
  ReplayOptions,
  Shadow,
  ShadowOptions,
} from './recording-types.js';
import type { StartActiveOptions, StartReport } from './start-active.js';
import { statusLine } from './status-line.js';
import type { RollbackOptions, SwitchOptions } from './switching/types.js';
import type {
  AlgorithmInfo,
  CallOptions,
  InspectionRequest,
  InspectionResult,
  SupervisedStatus,
} from './types.js';
import { resolveLogOptions } from './worker-logs/log-folder.js';

export type { AlgorithmSupervisorOptions, ConfigureOptions } from './options.js';

/**
 * Runs deployed algorithms as supervised services: pools of worker processes, one call in flight for each, restarted
 * when they fail, until they fail too often. Calls end in time, once, and with the caller's own answer.
 */
export class AlgorithmSupervisor extends SafeEmitter<SupervisorEvents> implements AsyncDisposable {
  /** The policy in force, defaults filled in. */
  readonly policy: Readonly<SupervisorPolicy>;
  readonly #ownsFrames: boolean;
  readonly #context: SupervisorContext;
  #parts: SupervisorParts | undefined;
  #closed: Promise<void> | undefined;

  /**
   * @throws RunnerError `invalid_params` without a registry, for an adapter or a policy that cannot be, or frames that
   * workers could not read
   */
  constructor(o: AlgorithmSupervisorOptions) {
    super();
    doors().supervisor.check(o);
    useAssets(o.assets);
    this.policy = resolvePolicy(o.policy);
    const { registry, clock = systemClock, worker: flavour = 'sdk' } = o;
    const frames = o.frames ?? new FramePool({ gid: this.policy.gid });
    checkReadable(frames, this.policy.gid);
    frames.keepIn(registry.layout.frames);
    this.#ownsFrames = o.frames === undefined;
    this.#context = {
      ...{ registry, frames, flavour, policy: this.policy, clock },
      ...{ given: o.policy ?? {}, workerLogs: resolveLogOptions(o.workerLogs) },
      ...{ logger: o.logger, outbox: o.outbox },
      // Canaries, logs and outbox first: a listener may end the trial that the event is about.
      emit: (name, ...args) => {
        this.#parts?.watch(name, ...args);
        return this.emit(name, ...(args as never));
      },
    };
    showAs(this, 'AlgorithmSupervisor', () => ({
      root: registry.layout.root,
      worker: flavour,
      deployments: this.status().map((deployment) => plainText(statusLine(deployment))),
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
    this.#check('start', doors().start, o, { name, version });
    await this.#start(name, version, o);
  }

  /**
   * Starts every version that a product id is mapped to, in the order in which they were mapped and at most `atOnce` side
   * by side: what a host does when it boots. A version that cannot start is in the report; the others start all the same.
   *
   * @throws RunnerError `invalid_params`, `store_failed`, `aborted`, `closed`
   */
  async startActive(o: StartActiveOptions = {}): Promise<StartReport> {
    this.#check('startActive', doors().startActive, o);
    const { startActive } = await import('./parts.js');
    const { signal } = o;
    const active = await this.#context.registry.active({ signal });
    const start = async ({ name, version }: VersionRef) =>
      (await this.#start(name, version, { signal })).pool.slots.length;
    return startActive(active, start, o);
  }

  /**
   * Keeps a policy for one version in the store, in place of what was kept before; `{}` takes it away. It comes before the
   * supervisor's policy, for every supervisor on the store; `status()` shows it. In force at once, while the version runs:
   * workers are started or stopped to the number it says. What is set up when a process starts (`limits`, `resources`, `env`,
   * `uid`, `gid`, `network`, `namespaces`, `worker`) is in force at its next start, `ownFiles` at its next install (`force`).
   *
   * @throws RunnerError `invalid_params` naming the option, `not_found`, `lock_timeout`, `store_failed`, `aborted`, `closed`
   */
  async configure(
    name: string,
    version: string,
    policy: VersionPolicy,
    o: ConfigureOptions = {},
  ): Promise<void> {
    this.#checkOpen('configure');
    checkStrings('supervisor.configure(name, version, policy)', { name, version });
    doors().configure.check(policy);
    doors().configureBy.check(o);
    const { operator, signal } = o;
    throwIfAborted(signal, 'configure');
    const { policies, table } = await this.#open();
    policies.resolve(policy); // what cannot be together with the supervisor's own is refused now
    // As the store keeps it: without what is left out.
    const kept = JSON.parse(JSON.stringify(policy)) as Record<string, unknown>;
    await this.#context.registry.configure({ name, version, policy: kept, operator, signal });
    await settleOrAbort(signal, table.find(name, version)?.scaled() ?? Promise.resolve());
  }

  /**
   * Gives a started version more workers, or fewer: resolves when as many are ready. A worker that goes finishes its call
   * first. Until the next start: {@link AlgorithmSupervisor.configure} keeps a number.
   *
   * @throws RunnerError `invalid_params`, `not_initialized` for a version that is not started, `start_failed` (the workers
   * are then as many as before), `aborted`, `closed`
   */
  async scale(name: string, version: string, workers: number, o: OperationOptions = {}): Promise<void> {
    this.#check('scale', doors().scale, { ...o, workers }, { name, version });
    const { table } = await this.#open();
    await settleOrAbort(o.signal, table.started(name, version).scale(workers));
  }

  /**
   * Stops the workers of a version: calls that wait are rejected with `closed`, those that run are finished first. A version
   * that stops already is waited for. With `signal` the wait ends early, and so do the calls that run.
   *
   * @throws RunnerError `invalid_params` for an argument of the wrong type
   */
  async stop(name: string, version: string, o: OperationOptions = {}): Promise<void> {
    checkStrings('supervisor.stop(name, version)', { name, version });
    doors().look.check(o);
    throwIfAborted(o.signal, 'stop');
    const deployment = this.#parts?.table.standing(name, version);
    if (!deployment) return;
    await settleOrAbort(o.signal, deployment.stop({ finishCalls: true }), () => void deployment.stop());
  }

  /**
   * What the algorithm says of itself (`get_info()`; phased generation). Where the package's adapter has no `info`
   * phase, its code is asked by a probe in the version's own environment.
   *
   * @typeParam Fields - fields besides the known ones, as the algorithm sends them: they are not checked
   * @throws RunnerError `invalid_params`, `unsupported_phase` for the execute-only generation, `not_found`, and as
   * {@link AlgorithmSupervisor.execute}
   */
  async info<Fields = unknown>(
    name: string,
    version: string,
    o: OperationOptions = {},
  ): Promise<AlgorithmInfo & Fields> {
    this.#check('info', doors().look, o, { name, version });
    const { info } = await this.#open();
    return (await info({ name, version }, o.signal)) as AlgorithmInfo & Fields;
  }

  /**
   * The `pre_execute` of the phased generation: prepares a step and gives no verdict.
   *
   * @typeParam Data - as of {@link AlgorithmSupervisor.execute}
   * @typeParam Params - as of {@link AlgorithmSupervisor.execute}
   * @throws RunnerError `unsupported_phase` for the execute-only generation, and as {@link AlgorithmSupervisor.execute}
   */
  preExecute<Data = unknown, Params extends object = Record<string, unknown>>(
    request: InspectionRequest<Params>,
    o?: CallOptions,
  ): Promise<InspectionResult<Data>> {
    return this.#call('pre', request, o);
  }

  /**
   * Inspects one image. An algorithm that answers ERROR is a result.
   *
   * @typeParam Data - fields of the result's `data` besides the known ones, as the algorithm sends them: they are not checked
   * @typeParam Params - of `userParams`
   * @throws RunnerError `invalid_params`, `invalid_image`, `unsupported_image`, `not_found`, `start_failed`,
   * `timeout`, `worker_exited`, `heartbeat_lost`, `protocol_error`, `contract_violation`, `queue_full`,
   * `circuit_open`, `pool_full`, `aborted`, `closed`
   */
  execute<Data = unknown, Params extends object = Record<string, unknown>>(
    request: InspectionRequest<Params>,
    o?: CallOptions,
  ): Promise<InspectionResult<Data>> {
    return this.#call('execute', request, o);
  }

  /**
   * Inspects several images of one product id, or version, and one step. A worker that can (the bundled one) takes them in
   * one message, at most 32, and in one call of the algorithm where its class has `execute_batch`; another takes them one by
   * one. Each is answered by itself, in the order of the requests. A failure is in `error` of the result of its image, which
   * is no verdict, and the others have theirs. A time limit counts from when a worker takes an image up.
   *
   * @typeParam Data - as of {@link AlgorithmSupervisor.execute}
   * @typeParam Params - as of {@link AlgorithmSupervisor.execute}
   * @throws RunnerError `invalid_params` for requests that do not belong together, `aborted`, `closed`
   */
  async executeMany<Data = unknown, Params extends object = Record<string, unknown>>(
    requests: readonly InspectionRequest<Params>[],
    o: CallOptions = {},
  ): Promise<InspectionResult<Data>[]> {
    this.#checkOpen('executeMany');
    doors().look.check(o);
    // What the caller puts in their place from here on is not what this was called with.
    const given = (Array.isArray(requests) ? requests.map(asGiven) : requests) as InspectionRequest[];
    const { manyCalls } = this.#parts ?? (await this.#open());
    return (await manyCalls.run(given, o)) as InspectionResult<Data>[];
  }

  /**
   * Lets the algorithm forget a session, at every worker that had a call of it (the `reset` phase, where the adapter
   * has one; the other SDKs keep nothing from one call to the next).
   *
   * @throws RunnerError `invalid_params`, as {@link AlgorithmSupervisor.execute}
   */
  async reset(session: { id: string }, o: OperationOptions = {}): Promise<void> {
    this.#checkOpen('reset');
    doors().session.check(session);
    doors().look.check(o);
    throwIfAborted(o.signal, 'reset');
    await this.#parts?.reset(session.id, o.signal);
  }

  /**
   * Moves product ids to a version without losing a call: it is started beside the old one, made ready, warmed up if
   * that is asked for, and mapped in one commit; the next call goes to it. The old version finishes what it has and is
   * stopped when no id uses it; with `probation` it stays ready until the trial is over, and comes back by itself when
   * the new one fails it. Resolves when the product ids are served by the new version, with `share` below 1 when it has that share
   * of their calls; the events `canary`, `accepted` and `drained` tell of a share, the end of a trial and of the old version.
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
    this.#checkOpen('switch');
    doors().switch.check(o);
    await (await this.#open()).switcher.switch(o);
  }

  /**
   * Goes back to the version that served a product id before, or to any that is kept, by the same path as a switch. A version that still
   * runs is not started again: the rollback is one commit.
   *
   * @throws RunnerError `invalid_params`, as {@link AlgorithmSupervisor.switch}
   */
  async rollback(o: RollbackOptions): Promise<void> {
    this.#checkOpen('rollback');
    doors().rollback.check(o);
    await (await this.#open()).switcher.rollback(o);
  }

  /**
   * Adds an observer of calls: it sees each that goes to a worker, with the very frames and how it ended, and has no part
   * in it. A warm-up is not seen. The returned function removes the observer and closes it; so does `close()`.
   *
   * @throws RunnerError `aborted`, `closed`
   */
  async observe(observer: CallObserver, o: OperationOptions = {}): Promise<() => Promise<void>> {
    this.#check('observe', doors().look, o);
    return (await this.#open()).observers.observe(observer);
  }

  /**
   * Keeps a version ready, whether it serves a product id or not, until the answer is disposed of. If it was started for
   * this alone, that stops it.
   *
   * @throws RunnerError `invalid_params`, `not_found`, `start_failed`, `timeout`, `aborted`, `closed`
   */
  async retain(
    name: string,
    version: string,
    { workers = 1, signal }: { workers?: number } & OperationOptions = {},
  ): Promise<RetainedVersion> {
    this.#check('retain', doors().start, { workers, signal }, { name, version });
    return (await this.#open()).observers.retain({ name, version }, { workers, signal });
  }

  /** See `shadow()` of `procvision-runner/recording`. @deprecated Import it from there. */
  async shadow(o: ShadowOptions): Promise<Shadow> {
    this.#checkOpen('shadow');
    return (await import('procvision-runner/recording')).shadow(this, o);
  }

  /** See `record()` of `procvision-runner/recording`. @deprecated Import it from there. */
  async record(o: RecordOptions): Promise<Recording> {
    this.#checkOpen('record');
    return (await import('procvision-runner/recording')).record(this, o);
  }

  /** See `replay()` of `procvision-runner/recording`. @deprecated Import it from there. */
  async replay(o: ReplayOptions): Promise<ComparisonReport> {
    this.#checkOpen('replay');
    return (await import('procvision-runner/recording')).replay(this, o);
  }

  /**
   * Closes the circuit of a version by hand; resolves when a worker is ready.
   *
   * @throws RunnerError `invalid_params` for an argument of the wrong type
   */
  async resetCircuit(name: string, version: string, o: OperationOptions = {}): Promise<void> {
    this.#check('resetCircuit', doors().look, o, { name, version });
    const deployment = this.#parts?.table.find(name, version);
    if (deployment) await settleOrAbort(o.signal, deployment.serving());
    else this.#parts?.table.forgive(name, version);
  }

  /** Every version that is started, and each of its workers. */
  status(): SupervisedStatus[] {
    return this.#parts?.status() ?? [];
  }

  /** Ends everything: calls that wait or run are rejected with `closed`; no process, timer or frame is left. */
  close(): Promise<void> {
    return (this.#closed ??= (async () => {
      await this.#parts?.close();
      if (this.#ownsFrames) await this.#context.frames.close();
    })());
  }

  /** See {@link AlgorithmSupervisor.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #call<Data, Params extends object>(
    phase: 'pre' | 'execute',
    request: InspectionRequest<Params>,
    o: CallOptions | undefined,
  ): Promise<InspectionResult<Data>> {
    if (o !== undefined) doors().look.check(o);
    // Without a wait where there is none: a call counts from the moment it is made.
    const given = (this.#parts ? request : asGiven(request)) as InspectionRequest;
    const { calls } = this.#parts ?? (await this.#open());
    return (await calls.call(phase, given, o?.signal)) as InspectionResult<Data>;
  }

  async #start(name: string, version: string, o: { workers?: number } & OperationOptions) {
    const { router, table } = await this.#open();
    return table.start(await router.entry(name, version), o);
  }

  async #open(): Promise<SupervisorParts> {
    const { composeParts } = await import('./parts.js');
    this.#checkOpen('call');
    return (this.#parts ??= composeParts(this.#context));
  }

  /** What each call is checked for, before anything happens. */
  #check<T extends object>(what: string, door: Door<T>, o: T & OperationOptions, version?: VersionRef): void {
    this.#checkOpen(what);
    if (version) checkStrings(`supervisor.${what}(name, version)`, { ...version });
    door.check(o);
    throwIfAborted(o.signal, what);
  }

  #checkOpen(what: string): void {
    if (this.#closed) throw new RunnerError('closed', `The supervisor was closed before ${what}`);
  }
}
