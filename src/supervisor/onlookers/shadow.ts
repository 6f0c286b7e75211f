import { RunnerError } from '../../errors.js';
import { bothIds } from '../../product-ids.js';
import type { WorkerReply } from '../../worker/types.js';
import type { CallTap, TappedCall } from '../calls/call-tap.js';
import type { Clock } from '../clock.js';
import { compareAnswers } from '../comparison/comparison.js';
import { ComparisonLog, type ComparisonReport } from '../comparison/comparison-report.js';
import type { Deployment } from '../deployments/deployment.js';
import type { Lease } from '../pool/lease.js';
import { checkResult } from '../calls/result-contract.js';
import { workerCallOf } from '../calls/worker-call.js';
import type { ShadowEvent, ShadowOptions } from './shadow-types.js';

/**
 * Gives a candidate a copy of calls as they run: the very frames, which stay until it has read them, too. What it
 * answers is compared and goes nowhere else; when it has no time, the call is left out.
 */
export class ShadowTap implements CallTap {
  readonly #candidate: Deployment;
  readonly #options: ShadowOptions;
  /** Undefined for every call that was routed by one. */
  readonly #productIds: readonly string[] | undefined;
  readonly #clock: Clock;
  readonly #limits: { pre: number; execute: number };
  readonly #tell: (event: ShadowEvent) => void;
  readonly #log: ComparisonLog;
  readonly #pending = new Set<Promise<void>>();
  #credit = 0;

  constructor(
    candidate: Deployment,
    options: ShadowOptions,
    o: {
      clock: Clock;
      limits: { pre: number; execute: number };
      productIds: readonly string[] | undefined;
      tell: (event: ShadowEvent) => void;
    },
  ) {
    this.#candidate = candidate;
    this.#options = options;
    this.#productIds = o.productIds;
    this.#clock = o.clock;
    this.#limits = o.limits;
    this.#tell = o.tell;
    this.#log = new ComparisonLog('the active version', candidate.title);
  }

  offer(call: TappedCall): Promise<unknown> | undefined {
    const { share = 1, maxPending = 4 } = this.#options;
    const { productId } = call.request;
    const only = this.#productIds;
    const { entry, pool, servedPids } = this.#candidate;
    if (productId === undefined || call.request.target !== undefined) return undefined;
    if (only && !only.includes(productId)) return undefined;
    if (call.name === entry.name && call.version === entry.version) return undefined; // it serves by now
    if (call.phase === 'pre' && entry.generation === 'execute-only') return undefined;
    // Without a guide it would compare the image with itself, which the version that serves does not do.
    const hasGuide = call.images.guideImage !== undefined || call.request.guideImage === 'same';
    if ((entry.generation === 'execute-only' && !hasGuide) || !this.#takes(call)) {
      this.#log.skipped();
      return undefined;
    }
    this.#credit += share;
    if (this.#credit < 1) return undefined;
    this.#credit -= 1;
    // A candidate that serves other ids must not keep them waiting.
    const isBusy = servedPids.size > 0 && !pool.slots.some(({ isIdle }) => isIdle);
    if (this.#pending.size >= maxPending || isBusy || call.isShort) {
      this.#log.skipped();
      return undefined;
    }
    const readers: Promise<unknown>[] = [];
    const tried = this.#try(call, productId, readers).then(() => Promise.all(readers));
    const pending = tried.then(() => {
      this.#pending.delete(pending);
    });
    this.#pending.add(pending);
    return pending;
  }

  /** Whether it can read the very frames of the call: values of 16 bits are for versions that take them. */
  #takes({ images }: TappedCall): boolean {
    const wide = [images.image, images.guideImage].flatMap((image) => image?.wideFormat ?? []);
    const taken = this.#candidate.imageFormats;
    return wide.every((format) => taken.includes(format) || taken.includes('Mono16'));
  }

  report(): ComparisonReport {
    return this.#log.report();
  }

  /** Resolves when nothing is pending. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }

  async #try(call: TappedCall, productId: string, readers: Promise<unknown>[]): Promise<void> {
    await Promise.resolve(); // the call itself goes first
    try {
      const reply = await this.#ask(call, readers);
      const { result } = await call.ended;
      if (!result) {
        this.#log.skipped();
        return;
      }
      checkResult(reply, call.phase, call.images.image.meta, this.#candidate.title);
      const comparison = compareAnswers(result, reply, this.#options.minIou);
      this.#log.compared(call.requestId, comparison, result.timing.callMs, reply.callMs);
      const { name, version } = this.#candidate.entry;
      this.#tell({
        ...{ name, version, ...bothIds(productId), requestId: call.requestId, comparison },
        activeMs: result.timing.callMs,
        candidateMs: reply.callMs,
      });
    } catch (error) {
      const failure = RunnerError.is(error)
        ? error
        : new RunnerError('unknown', String(error), { cause: error });
      this.#log.failed(call.requestId, failure);
    }
  }

  async #ask(tapped: TappedCall, readers: Promise<unknown>[]): Promise<WorkerReply> {
    const { pool } = this.#candidate;
    const { phase, request, requestId } = tapped;
    const limitMs = request.timeoutMs ?? this.#limits[phase];
    const deadline = this.#clock.now() + limitMs;
    const lease: Lease = await pool.acquire({ lane: 'shadow', deadline });
    let reply: WorkerReply | undefined;
    try {
      const call = workerCallOf(tapped, requestId);
      reply = await lease.worker.call(call, { timeoutMs: limitMs, requestId: `${requestId}~shadow` });
      return reply;
    } finally {
      // An abandoned worker may go on reading the frame until it exits.
      if (!reply) readers.push(lease.worker.gone());
      pool.release(lease, reply);
    }
  }
}
