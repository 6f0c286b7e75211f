import { settleOrAbort, throwIfAborted, type OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import type { GivenValues } from '../parameters/call-parameters.js';
import type { ParameterValues } from '../parameters/types.js';
import type { VersionRef } from '../package/types.js';
import type { RegistryEntry } from '../registry/types.js';
import type { WorkerReply } from '../worker/types.js';
import type { CallObserver, ObservedCall } from './calls/call-observer.js';
import type { Inspector } from './calls/inspector.js';
import { checkResult } from './calls/result-contract.js';
import { workerCallOf } from './calls/inspection.js';
import { checkPrepared } from './calls/prepared.js';
import { SessionTable } from './calls/sessions.js';
import type { Clock } from './clock.js';
import type { Deployment } from './deployments/deployment.js';
import type { DeploymentTable } from './deployments/deployment-table.js';
import type { Router } from './deployments/router.js';
import type { SupervisorPolicy } from './policy.js';
import type { Retirement } from './switching/retirement.js';

/** A version that is ready, and stays so until it is released. */
export interface RetainedVersion extends AsyncDisposable {
  readonly entry: RegistryEntry;
  /** Formats with more than 8 bits a channel that it reads, as pictures in frames. */
  readonly imageFormats: readonly string[];
  /** Whether a copy of a call keeps no call of product ids waiting that the version serves itself. */
  readonly isIdle: boolean;
  /**
   * The parameters that it gets with a call of a step: what the call was asked with, and its own defaults.
   *
   * @throws RunnerError `invalid_params` for parameters that the step does not take
   */
  parametersFor(stepIndex: number, asked: GivenValues): ParameterValues | undefined;
  /**
   * Gives it a copy of a call, with its own defaults for parameters: the very frames, which must stay until `read` settles. `reply` resolves with the answer, held
   * against the contract, and rejects with a RunnerError as a call does. `before`: what it answers to the call of the session that
   * came before, which this one waits for.
   */
  answer(
    call: ObservedCall,
    before?: Promise<WorkerReply>,
  ): {
    /** What it answers. */
    reply: Promise<WorkerReply>;
    /** Settles when no worker of it reads the frames any more; never rejects. */
    read: Promise<unknown>;
  };
}

/** A call as a retained version gets it. */
interface CopiedCall {
  call: ObservedCall;
  before: Promise<WorkerReply> | undefined;
  /** Where the copies went before. */
  sessions: SessionTable;
}

interface ObserverContext {
  inspector: Inspector;
  table: DeploymentTable;
  router: Router;
  retirement: Retirement;
  policy: Readonly<SupervisorPolicy>;
  clock: Clock;
}

/** Those who observe calls of a supervisor, and versions that are retained for them. */
export class Observers {
  readonly #context: ObserverContext;
  readonly #open = new Set<() => Promise<void>>();

  constructor(context: ObserverContext) {
    this.#context = context;
  }

  /** Adds an observer. The returned function removes and closes it, once. @throws RunnerError `closed` */
  observe(observer: CallObserver): () => Promise<void> {
    const { inspector, table } = this.#context;
    table.checkOpen('observing');
    let stopped: Promise<void> | undefined;
    const stop = () =>
      (stopped ??= (async () => {
        inspector.observers.delete(observer);
        this.#open.delete(stop);
        await observer.close();
      })());
    inspector.observers.add(observer);
    this.#open.add(stop);
    return stop;
  }

  /** A version that is ready until it is disposed of. If it was started for this alone, that stops it. */
  async retain(
    { name, version }: VersionRef,
    { workers, signal }: { workers: number } & OperationOptions,
  ): Promise<RetainedVersion> {
    const { router, table, retirement } = this.#context;
    throwIfAborted(signal, 'retain');
    const entry = await router.entry(name, version);
    const { deployment, release } = await table.obtain(entry, workers, signal);
    const releaseWorkers = deployment.keep();
    const end = async () => {
      releaseWorkers();
      await retirement.retire(deployment, { sparePinned: true });
    };
    try {
      await settleOrAbort(signal, deployment.serving());
    } catch (error) {
      release();
      await end();
      throw error;
    }
    release();
    /** Where copies of calls went. */
    const sessions = new SessionTable();
    return {
      entry: deployment.entry,
      imageFormats: deployment.imageFormats,
      get isIdle() {
        const { servedPids, pool } = deployment;
        return servedPids.size === 0 || pool.slots.some(({ isIdle }) => isIdle);
      },
      parametersFor: (stepIndex, asked) => deployment.parameters.of(stepIndex, asked),
      answer: (call, before) => this.#answer(deployment, { call, before, sessions }),
      [Symbol.asyncDispose]: end,
    };
  }

  /** Ends them all. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#open].map((stop) => stop()));
  }

  #answer(deployment: Deployment, copy: CopiedCall): { reply: Promise<WorkerReply>; read: Promise<unknown> } {
    const readers: Promise<unknown>[] = [];
    const reply = this.#ask(deployment, copy, readers);
    return { reply, read: reply.then(settled, settled).then(() => Promise.allSettled(readers)) };
  }

  async #ask(
    deployment: Deployment,
    { call: observed, before, sessions }: CopiedCall,
    readers: Promise<unknown>[],
  ): Promise<WorkerReply> {
    await before; // a call itself goes before its copy
    const { pool, title, parameters, keepsSessions } = deployment;
    const { policy, clock } = this.#context;
    const { phase, request, requestId, images } = observed;
    const userParams = parameters.of(request.stepIndex, observed.asked);
    parameters.checkRegions(request.stepIndex, userParams, images.image.meta);
    const limitMs = request.timeoutMs ?? (phase === 'pre' ? policy.preTimeoutMs : policy.executeTimeoutMs);
    const turn = pool.aside();
    const session = before && request.session?.id;
    const last = session === undefined ? undefined : sessions.lastAt(session, deployment);
    const keeper = keepsSessions ? last?.worker : undefined;
    const lease = await pool.acquire(turn, {
      ...{ deadline: clock.now() + limitMs, prefer: last?.slot.index, keeper },
    });
    let reply: WorkerReply | undefined;
    try {
      if (before) checkPrepared(deployment, lease, last, undefined);
      if (request.session?.id !== undefined) sessions.touch(request.session.id, deployment, lease);
      const call = workerCallOf({ phase, request: { ...request, userParams }, images }, requestId);
      reply = await lease.worker.call(call, { timeoutMs: limitMs, requestId: `${requestId}~shadow` });
    } catch (error) {
      if (RunnerError.is(error)) throw error;
      throw new RunnerError('unknown', String(error), { cause: error });
    } finally {
      // An abandoned worker may go on reading the frame until it exits.
      if (!reply) readers.push(lease.worker.whenTreeEnded());
      pool.release(lease, reply);
      pool.leave(turn);
    }
    if (images.image.isLost || images.guideImage?.isLost) {
      const message = `The frame of a call was filled anew while ${title} had its copy: what it answered is of no picture`;
      throw new RunnerError('frame_released', message);
    }
    checkResult(reply, phase, images.image.meta, { title, answers: policy.answers });
    return reply;
  }
}

function settled(): void {
  // Only that it has ended is of interest.
}
