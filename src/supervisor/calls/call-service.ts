import { randomUUID } from 'node:crypto';
import { settleOrAbort, throwIfAborted, type OperationOptions } from '../../abort.js';
import { asFailure, RunnerError } from '../../errors.js';
import { LONGEST_TIMER_MS } from '../../longest-timer.js';
import { bothIds } from '../../product-ids.js';
import { systemCause } from '../../store/errno.js';
import { Deadline, type Clock } from '../clock.js';
import type { Deployment, Emit } from '../deployments/deployment.js';
import type { DeploymentTable, DeploymentLease } from '../deployments/deployment-table.js';
import { askedOf, withParameters } from './asked.js';
import { BATCH, type GroupPlace } from './call-group.js';
import type { GuideBook } from './guide-book.js';
import { checkRequest, checkStep } from './inspection-request.js';
import { failedResult } from './failed-result.js';
import { failureOf, fellBackFrom, goesOn } from './fallback.js';
import { HandedImages } from './handed-images.js';
import { laneOf, orderOf, type Inspection, type Standing } from './inspection.js';
import type { Inspector } from './inspector.js';
import type { Router } from '../deployments/router.js';
import type { CallTurn } from '../pool/worker-pool.js';
import type { CarryOptions, MessageOptions, NumberedCall } from './numbered-call.js';
import { startCall } from './started-call.js';
import { watchedChannel, type CallTrace } from './tracing.js';
import type { CallOptions, InspectionRequest, InspectionResult } from '../types.js';

/** How long a deployment is waited for, and which. */
interface LeaseOptions {
  startedAt: number;
  signal: AbortSignal | undefined;
  isPastCanary?: boolean;
}

/** Takes calls in: numbers, traces, checks and routes each, hands it to the inspector, and tells how it ended. */
export class CallService {
  readonly #table: DeploymentTable;
  readonly #router: Router;
  readonly #inspector: Inspector;
  readonly #guides: GuideBook;
  readonly #clock: Clock;
  readonly #emit: Emit;
  /** Tells this supervisor's requests from those of another one in the same logs. */
  readonly #prefix = randomUUID().slice(0, 8);
  #requests = 0;

  constructor(o: {
    table: DeploymentTable;
    router: Router;
    inspector: Inspector;
    guides: GuideBook;
    clock: Clock;
    emit: Emit;
  }) {
    this.#table = o.table;
    this.#router = o.router;
    this.#inspector = o.inspector;
    this.#guides = o.guides;
    this.#clock = o.clock;
    this.#emit = o.emit;
  }

  /** A call of a host. @throws RunnerError as {@link AlgorithmSupervisor.execute} lists them */
  async call(
    phase: 'pre' | 'execute',
    given: InspectionRequest | undefined,
    signal: AbortSignal | undefined,
  ): Promise<InspectionResult> {
    return await this.#follow(this.#traceOf(phase, given), given, signal, {});
  }

  /**
   * A picture among several: what it fails with is in its result. `place`: in a message that it shares. `failure`: what
   * all of them fail with.
   *
   * @throws what is no RunnerError
   */
  async answer(
    given: InspectionRequest | undefined,
    { signal }: CallOptions,
    message: MessageOptions,
  ): Promise<InspectionResult> {
    const trace = this.#traceOf('execute', given);
    const startedAt = this.#clock.now();
    try {
      return await this.#follow(trace, given, signal, message);
    } catch (error) {
      if (RunnerError.is(error)) return failedResult(error, trace, this.#clock.now() - startedAt);
      throw error;
    }
  }

  /**
   * The workers of the version that a request goes to, when it is ready, whether they take several calls in one message, and
   * how many calls may wait for them.
   *
   * @throws RunnerError as {@link AlgorithmSupervisor.execute}
   */
  async standing(request: InspectionRequest, signal: AbortSignal | undefined): Promise<Standing> {
    this.#table.checkOpen('execute');
    const asked = { ...request, productId: request.productId ?? oldNameIn(request) } as InspectionRequest;
    const startedAt = this.#clock.now();
    // A look, and no call: the turn of a canary is not to be spent on it.
    const past = { isPastCanary: true };
    const lease =
      this.#router.routeNow(asked, past) ?? (await this.#lease(asked, { startedAt, signal, ...past }));
    try {
      const { pool, isReady, ready, policy } = lease.deployment;
      const limitMs = asked.timeoutMs ?? LONGEST_TIMER_MS;
      const deadline = new Deadline(this.#clock, startedAt, limitMs, signal);
      if (!isReady) await deadline.bound('the start of the version', (ended) => settleOrAbort(ended, ready));
      const takesMany = pool.ready?.capabilities.includes(BATCH) === true;
      return { workers: pool.slots.length, takesMany, mostWaiting: policy.maxQueue };
    } finally {
      lease.release();
    }
  }

  /** Tells of a call and how it ended, under the tracing channel where somebody listens to that. */
  #follow(
    trace: CallTrace,
    given: InspectionRequest | undefined,
    signal: AbortSignal | undefined,
    message: MessageOptions,
  ): Promise<InspectionResult> {
    const { requestId, phase, productId } = trace;
    const { observers } = this.#inspector;
    const started =
      observers.size === 0
        ? undefined
        : startCall(observers, { phase, productId, request: given, requestId });
    const run = () => this.#make(trace, given, signal, message, started);
    return watchedChannel()?.tracePromise<unknown, [], InspectionResult>(run, trace) ?? run();
  }

  async #make(
    trace: CallTrace,
    given: InspectionRequest | undefined,
    signal: AbortSignal | undefined,
    { place, failure: known }: MessageOptions,
    started: ReturnType<typeof startCall>,
  ): Promise<InspectionResult> {
    const { requestId, phase, productId } = trace;
    try {
      const startedAt = this.#clock.now();
      throwIfAborted(signal, `${phase} call`);
      this.#table.checkOpen(phase);
      checkRequest(given);
      if (known) throw known;
      const traceparent = started?.traceparent ?? given.traceparent;
      const request = Object.assign({}, given, { productId, traceparent }) as InspectionRequest;
      const result = await this.#route({ phase, request, requestId, startedAt, signal, trace }, place);
      started?.end({ result, name: trace.name, version: trace.version });
      return result;
    } catch (failure) {
      const error = systemCause(failure) === undefined ? asFailure(failure, `make ${phase} call`) : failure;
      const { name, version } = trace;
      started?.end({ error: asCallError(error), name, version });
      if (RunnerError.is(error)) {
        this.#emit('callFailed', { error, requestId, phase, ...bothIds(productId), name, version });
      }
      throw error;
    }
  }

  /** A call by the supervisor itself to one worker of a deployment: not routed, and without events. */
  async callAt(
    deployment: Deployment,
    request: InspectionRequest,
    { worker, signal }: { worker: number } & OperationOptions,
  ): Promise<InspectionResult> {
    checkRequest(request);
    const startedAt = this.#clock.now();
    const requestId = this.#nextRequest();
    const timeoutMs = request.timeoutMs ?? deployment.policy.executeTimeoutMs;
    const deadline = new Deadline(this.#clock, startedAt, timeoutMs, signal);
    const asked = askedOf(request, {});
    const whole = withParameters(request, asked, deployment);
    const turn = this.#admit(request, deployment);
    try {
      const guide = this.#guides.complete(whole, deployment.entry, { isWarmUp: true });
      const guided = await withinTime(Promise.resolve(guide), deadline);
      return await this.#inspector.run(
        { phase: 'execute', ...guided, asked, requestId, deadline, startedAt, turn, only: worker },
        deployment,
      );
    } finally {
      deployment.pool.leave(turn);
    }
  }

  async #route(call: NumberedCall, place?: GroupPlace): Promise<InspectionResult> {
    const { request: asked, phase, startedAt, signal, trace } = call;
    const now = place?.group.lease ?? this.#router.routeNow(asked);
    const admitted = now ? undefined : this.#router.holdLane(asked);
    // What it waits for may be the end of a version that waits for the calls of the message.
    if (!now) place?.stepAside();
    let lease = now;
    try {
      lease ??= await this.#lease(asked, { startedAt, signal });
      const carry = { place, admitted };
      const result = lease.canary
        ? await this.#atCanary(call, lease, carry)
        : await this.#carry(call, lease, carry);
      const { name, version, worker, attempts } = result;
      trace.name = name;
      trace.version = version;
      trace.worker = worker;
      trace.attempts = attempts;
      const { productId, stepIndex } = asked;
      this.#emit('result', { name, version, ...bothIds(productId), stepIndex, phase, result });
      return result;
    } finally {
      admitted?.();
      lease?.release();
    }
  }

  /**
   * A call at a version that has a share of them. What fails there goes on to the version that is mapped, with the very
   * images: once, and only where there is no verdict yet. A session that has calls behind it at the canary stays there.
   */
  async #atCanary(call: NumberedCall, lease: DeploymentLease, o: CarryOptions): Promise<InspectionResult> {
    const { deployment, canary } = lease;
    const isOfMany = o.place !== undefined && call.request.session !== undefined;
    if (!canary?.isFirst || isOfMany) return this.#carry(call, lease, o);
    const handed = new HandedImages();
    let answer: InspectionResult | undefined;
    try {
      answer = await this.#carry(call, lease, { ...o, canary: { handed, isOnce: true } });
      if (answer.status === 'OK') return answer;
      return await this.#fallBack(call, lease, failureOf(answer, call.phase), {
        ...o,
        canary: { handed, isOnce: false },
      });
    } catch (failure) {
      if (answer) return answer; // ERROR is an answer too, where the other version has none
      if (!RunnerError.is(failure) || !goesOn(failure, deployment.policy)) throw failure;
      return await this.#fallBack(call, lease, failure, { ...o, canary: { handed, isOnce: false } });
    } finally {
      handed.done();
    }
  }

  /** @throws RunnerError the failure of the canary where there is no time left, else what the version that is mapped fails with */
  async #fallBack(
    call: NumberedCall,
    { deployment, canary }: DeploymentLease,
    error: RunnerError,
    { place, ...o }: CarryOptions,
  ): Promise<InspectionResult> {
    const { request, phase, signal, requestId } = call;
    const startedAt = place ? this.#clock.now() : call.startedAt; // its time in a message was that of others too
    const { preTimeoutMs, executeTimeoutMs } = deployment.policy;
    const limitMs = request.timeoutMs ?? (phase === 'pre' ? preTimeoutMs : executeTimeoutMs);
    const isLate = this.#clock.now() - startedAt >= limitMs;
    if (isLate || signal?.aborted === true || !goesOn(error, deployment.policy)) throw error;
    place?.arrive(); // the others of the message need not wait
    canary?.split.leave(request.session?.id);
    const { name, version } = deployment.entry;
    const about = { name, version, productId: request.productId ?? '', requestId, phase, error };
    let answered = false;
    const lease = await this.#lease(request, { startedAt, signal, isPastCanary: true });
    try {
      const result = await this.#carry({ ...call, startedAt }, lease, o);
      answered = result.status === 'OK';
      result.attempts++;
      result.fellBackFrom = fellBackFrom({ name, version }, error);
      return result;
    } finally {
      lease.release();
      this.#emit('fellBack', { ...about, answered });
    }
  }

  /** A call at a deployment. @throws RunnerError what it is refused for, or fails with */
  async #carry(
    { phase, request: asked, requestId, startedAt, signal, trace }: NumberedCall,
    lease: DeploymentLease,
    { place, admitted, canary }: CarryOptions,
  ): Promise<InspectionResult> {
    const { deployment } = lease;
    let turn: CallTurn | undefined;
    try {
      const { preTimeoutMs, executeTimeoutMs } = deployment.policy;
      const limitMs = phase === 'pre' ? preTimeoutMs : executeTimeoutMs;
      let deadline = new Deadline(this.#clock, startedAt, asked.timeoutMs ?? limitMs, signal);
      const { name, version, generation } = deployment.entry;
      trace.name = name;
      trace.version = version;
      if (phase === 'pre' && generation === 'execute-only') {
        throw new RunnerError(
          'unsupported_phase',
          `${name} ${version} is of the execute-only generation (SDK 0.3 and later): it has no pre_execute. Call execute()`,
          { details: { name, version, stage: 'pre' } },
        );
      }
      checkStep(asked, deployment.entry);
      const params = askedOf(asked, lease);
      const request = withParameters(asked, params, deployment);
      const admit = () => this.#admit(asked, deployment);
      const isShared = place?.group.enter(lease, admit) === true;
      turn = isShared ? deployment.pool.aside() : admit();
      admitted?.();
      const guide = this.#guides.complete(request, deployment.entry);
      const guided = guide instanceof Promise ? await withinTime(guide, deadline) : guide;
      if (!deployment.isReady) {
        const ready = settleOrAbort(signal, deployment.ready);
        // With a limit of the call's own, the start counts.
        await (request.timeoutMs === undefined
          ? ready
          : deadline.bound('the start of the version', (ended) => settleOrAbort(ended, ready)));
        if (request.timeoutMs === undefined)
          deadline = new Deadline(this.#clock, this.#clock.now(), limitMs, signal);
      }
      const startMs = this.#clock.now() - startedAt;
      const inspection: Inspection = {
        phase,
        request: guided.request,
        asked: params,
        warnings: guided.warnings,
        requestId,
        deadline,
        startedAt,
        startMs,
        turn,
      };
      if (isShared) inspection.place = place;
      if (canary) Object.assign(inspection, canary);
      return await this.#inspector.run(inspection, deployment);
    } finally {
      if (turn) deployment.pool.leave(turn);
    }
  }

  /** Into the line of its deployment: from here on its order is kept. @throws RunnerError `queue_full` */
  #admit(request: InspectionRequest, { pool, entry }: Deployment): CallTurn {
    return pool.admit(laneOf(request), orderOf(request, entry.generation === 'execute-only'));
  }

  /**
   * The deployment of a call. Waits for its start, and for the end of a deployment that is being stopped. This wait
   * has no limit of its own, but is never longer than the caller waits.
   */
  async #lease(
    request: InspectionRequest,
    { startedAt, signal, isPastCanary = false }: LeaseOptions,
  ): Promise<DeploymentLease> {
    const lease = this.#router.route(request, { isPastCanary });
    const deadline = new Deadline(this.#clock, startedAt, request.timeoutMs ?? LONGEST_TIMER_MS, signal);
    try {
      return await deadline.bound('a version that is being stopped', (ended) => settleOrAbort(ended, lease));
    } catch (error) {
      void lease.then(
        ({ release }) => {
          release();
        },
        () => undefined,
      );
      throw error;
    }
  }

  #traceOf(phase: CallTrace['phase'], given: InspectionRequest | undefined): CallTrace {
    const { productId = oldNameIn(given) } = given ?? {}; // it is checked later
    return { requestId: this.#nextRequest(), phase, ...bothIds(productId) };
  }

  #nextRequest(): string {
    return `${this.#prefix}-${++this.#requests}`;
  }
}

/** A store that hangs ends no later than the call. */
function withinTime<T>(guide: Promise<T>, deadline: Deadline): Promise<T> {
  return deadline.bound('the look for its guide picture', (ended) => settleOrAbort(ended, guide));
}

/** What observers are given of a failure. */
function asCallError(error: unknown): RunnerError {
  return RunnerError.is(error) ? error : new RunnerError('unknown', String(error), { cause: error });
}

/** The product id under the name that it had before. */
function oldNameIn(request: { pid?: string | undefined } | undefined): string | undefined {
  return request?.pid;
}
