import { settleOrAbort } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import type { FramePool } from '../../frames/frame-pool.js';
import type { ImageInput, SentImage } from '../../frames/types.js';
import type { AlgorithmWorker } from '../../worker/algorithm-worker.js';
import type { WorkerReply } from '../../worker/types.js';
import type { CallObserver, SentImages } from './call-observer.js';
import type { Clock } from '../clock.js';
import type { Deployment } from '../deployments/deployment.js';
import { LaneOrder } from '../deployments/lane-order.js';
import type { AcquireOptions, CallTurn, Lease } from '../pool/worker-pool.js';
import type { SupervisorPolicy } from '../policy.js';
import { checkResult } from './result-contract.js';
import { workerCallOf, type Inspection } from './inspection.js';
import { isDeviceOutOfMemory, pauseMs } from '../pool/device-memory.js';
import { isFailureRetried, isReplyFatal, isReplyRetried } from '../pool/retry.js';
import { returnImages } from './return-images.js';
import { checkPrepared } from './prepared.js';
import { isAfterPre } from './request-mark.js';
import type { SessionTable } from './sessions.js';
import { Watch } from './watch.js';
import type { InspectionResult } from '../types.js';

/** The turn of a message, and its calls. */
interface GroupWish {
  turn: CallTurn;
  calls?: readonly string[] | undefined;
}

/** An inspection whose images are written. */
interface SentCall {
  inspection: Inspection;
  deployment: Deployment;
  images: SentImages;
  timing: InspectionResult['timing'];
  /** When it began to wait for a worker: then its images were written, or its last attempt was over. */
  askedAt: number;
  /** Workers that had it. */
  tried: Set<AlgorithmWorker>;
  watch: Watch | undefined;
  /** Of the last attempt. */
  failure?: RunnerError;
}

/** Carries an inspection through at one deployment: the image, a worker, the call, another attempt, the contract. */
export class Inspector {
  /** Those who look on. */
  readonly observers = new Set<CallObserver>();
  readonly #clock: Clock;
  readonly #frames: FramePool;
  readonly #sessions: SessionTable;
  /** Avoids a deadlock: two calls with one frame each that both need a second. */
  readonly #pairs = new LaneOrder();

  constructor(o: { clock: Clock; frames: FramePool; sessions: SessionTable }) {
    this.#clock = o.clock;
    this.#frames = o.frames;
    this.#sessions = o.sessions;
  }

  /** @throws RunnerError as {@link AlgorithmSupervisor.execute} lists them */
  async run(inspection: Inspection, deployment: Deployment): Promise<InspectionResult> {
    const { deadline, turn, startMs } = inspection;
    let enteredAt = startMs === undefined ? this.#clock.now() : inspection.startedAt + startMs;
    const timing = { startMs: startMs ?? 0, queueMs: 0, frameMs: 0, callMs: 0, totalMs: 0 };
    const tried = new Set<AlgorithmWorker>();
    const isWatched = this.observers.size > 0 && inspection.only === undefined;
    const watch = isWatched ? new Watch(this.observers, this.#frames, inspection, deployment) : undefined;
    let images: SentImages | undefined;
    try {
      const patience = { deadline: deadline.at, signal: deadline.signal };
      const { place } = inspection;
      const wait = place?.isOpen ? place.group.letOn(patience) : deployment.pool.letOn(turn, patience);
      if (wait) {
        await wait;
        timing.queueMs = this.#clock.now() - enteredAt;
        enteredAt += timing.queueMs;
      }
      // Before the wait for a worker: the image is written while the worker computes.
      const { handed, request } = inspection;
      const sent =
        handed?.for(request, deployment) ??
        this.#sendNow(inspection, deployment) ??
        this.#send(inspection, deployment);
      images = sent instanceof Promise ? await sent : sent;
      const askedAt = this.#clock.now();
      timing.frameMs = askedAt - enteredAt;
      // Of an encoded picture the size is known only now.
      deployment.parameters.checkRegions(
        inspection.request.stepIndex,
        inspection.request.userParams,
        images.image.meta,
      );
      const call: SentCall = { inspection, deployment, images, timing, askedAt, tried, watch };
      for (let attempts = 1; ;) {
        const outcome = await this.#attempt(call, attempts);
        if (typeof outcome === 'object') {
          watch?.end({ result: outcome });
          return outcome;
        }
        if (outcome === 'again') attempts++;
        call.askedAt = this.#clock.now();
      }
    } catch (error) {
      watch?.end({
        error: RunnerError.is(error) ? error : new RunnerError('unknown', String(error), { cause: error }),
      });
      throw error;
    } finally {
      const { handed, request } = inspection;
      if (images && handed) handed.keep({ images, request, deployment }, tried, watch?.retained ?? []);
      else if (images) returnImages(images, tried, watch?.retained ?? []);
      deployment.pool.leave(turn);
      inspection.place?.end();
    }
  }

  /**
   * One attempt at one worker. It answers, or fails, or is worth another: `'again'`. A worker that left before it was
   * asked makes it none: `'unsent'`.
   */
  async #attempt(call: SentCall, attempts: number): Promise<InspectionResult | 'again' | 'unsent'> {
    const { inspection, deployment, images, timing, askedAt, tried, watch } = call;
    const { deadline, requestId } = inspection;
    const policy = inspection.isOnce ? { ...deployment.policy, retries: 0 } : deployment.policy;
    // Sent again, a request goes by another id: a late answer to the first must not pass for one to the second.
    const wireId = attempts === 1 ? requestId : `${requestId}~${attempts}`;
    const shared = inspection.place?.isOpen ? await this.#join(call, wireId) : undefined;
    const leased = shared?.lease ?? this.#acquire(inspection, deployment, tried);
    const lease = leased instanceof Promise ? await leased : leased;
    const session = inspection.request.session?.id;
    const last = session === undefined ? undefined : this.#sessions.lastAt(session, deployment);
    const hasWaited = shared !== undefined || leased instanceof Promise || attempts > 1;
    const calledAt = hasWaited ? this.#clock.now() : askedAt;
    timing.queueMs += calledAt - askedAt;
    let answeredAt = calledAt;
    let reply: WorkerReply | undefined;
    let next: 'again' | 'unsent' | undefined;
    try {
      if (isAfterPre(inspection.request)) checkPrepared(deployment, lease, last, call.failure);
      if (session !== undefined) this.#sessions.touch(session, deployment, lease);
      const answered =
        shared?.answer ?? this.#call(inspection, { lease, policy, now: calledAt }, images, wireId);
      watch?.begin(images, shared ? inspection.place?.group.size : 1);
      reply = await answered;
      answeredAt = this.#clock.now();
      timing.callMs = answeredAt - calledAt;
    } catch (error) {
      const isUnsent = isNeverSent(error, lease) && !deployment.isEnding;
      next = isUnsent ? 'unsent' : 'again';
      if (!isUnsent) {
        tried.add(lease.worker);
        const isOver = deadline.signal?.aborted === true || (!shared && deadline.leftMs <= 0);
        if (isOver || !RunnerError.is(error) || !isFailureRetried(error, attempts, policy)) throw error;
        call.failure = error;
        if (error.code === 'frame_missing') renewImages(images);
      }
    } finally {
      if (shared) shared.over(reply);
      else deployment.pool.release(lease, reply);
    }
    const isDeviceFull = reply !== undefined && isDeviceOutOfMemory(reply);
    const isWorthMore = reply && !isDeviceFull && isReplyRetried(reply, attempts, policy);
    if (reply && isWorthMore && (shared !== undefined || deadline.leftMs > 0)) {
      tried.add(lease.worker);
      if (reply.isPictureLost) renewImages(images);
      next = 'again';
    }
    if (shared && (next || isDeviceFull)) {
      await inspection.place?.leave();
      inspection.deadline = deadline.anew(); // its time in the message was that of the others too
    }
    if (next || !reply) return next ?? 'again';
    if (isDeviceFull) return this.#afterPause(call, reply, attempts, lease);
    return this.#result(call, reply, { worker: lease.slot.index, attempts, answeredAt });
  }

  /**
   * The memory of a device was full. At once it would be full again: other workers need time to give memory back.
   *
   * @throws RunnerError `gpu_oom` when no attempt is left
   */
  async #afterPause(
    { inspection, deployment, tried }: SentCall,
    reply: WorkerReply,
    attempts: number,
    { worker }: Lease,
  ): Promise<'again'> {
    const { deadline, phase, isOnce = false } = inspection;
    const { policy, title, entry } = deployment;
    const isOver = isOnce || deadline.signal?.aborted === true || deadline.leftMs <= 0;
    if (isOver || attempts > policy.retries || isReplyFatal(reply, policy)) {
      throw new RunnerError(
        'gpu_oom',
        `${title} found the memory of its device used up, at ${attempts} attempt${attempts === 1 ? '' : 's'}: ${reply.message}. ` +
          'Give the version fewer workers or a device of its own (policy.workers, policy.devices), or end what else uses the device',
        { details: { name: entry.name, version: entry.version, stage: phase, raw: reply } },
      );
    }
    tried.add(worker);
    await deadline.bound('memory of a device', (signal) =>
      this.#pause(pauseMs(attempts, deadline.leftMs), signal),
    );
    return 'again';
  }

  async #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    let cancel: (() => void) | undefined;
    const over = new Promise<void>((resolve) => (cancel = this.#clock.after(delayMs, resolve)));
    await settleOrAbort(signal, over).finally(() => cancel?.());
  }

  /** The result of an answer that keeps the contract. */
  #result(
    { inspection, deployment, images, timing }: SentCall,
    reply: WorkerReply,
    by: { worker: number; attempts: number; answeredAt: number },
  ): InspectionResult {
    const { phase, requestId, startedAt, warnings } = inspection;
    checkThere(images);
    const { title, policy } = deployment;
    const broken = checkResult(reply, phase, images.image.meta, { title, answers: policy.answers });
    timing.totalMs = by.answeredAt - startedAt;
    deployment.latency.add(timing.totalMs);
    const isDecoded = images.image.isDecoded || images.guideImage?.isDecoded === true;
    const all = warnings.length + broken.length > 0 ? [...warnings, ...broken] : [];
    const { worker, attempts } = by;
    return resultOf(reply, { worker, attempts, requestId, timing, deployment, isDecoded, warnings: all });
  }

  /** Together with others; undefined where their message is not sent, and the call is to go alone. */
  #join({ inspection, deployment, images, tried }: SentCall, requestId: string) {
    const { phase, request, deadline } = inspection;
    const { pool } = deployment;
    const wish = ({ turn, calls }: GroupWish) => this.#wish(inspection, deployment, tried, { turn, calls });
    return inspection.place?.join({
      acquire: (group) => pool.acquire(group.turn, wish(group)),
      acquireNow: (group) => pool.acquireNow(group.turn, wish(group)),
      ...{ call: workerCallOf({ phase, request, images }, inspection.requestId), requestId, deadline },
    });
  }

  #acquire(
    inspection: Inspection,
    deployment: Deployment,
    tried: ReadonlySet<AlgorithmWorker>,
  ): Lease | Promise<Lease> {
    return deployment.pool.acquire(inspection.turn, this.#wish(inspection, deployment, tried));
  }

  #wish(
    { request, requestId, deadline, turn: own, only, place }: Inspection,
    deployment: Deployment,
    tried: ReadonlySet<AlgorithmWorker>,
    { turn, calls }: GroupWish = { turn: own },
  ): AcquireOptions {
    const { pool } = deployment;
    const session = request.session?.id;
    const last = session === undefined ? undefined : this.#sessions.lastAt(session, deployment);
    const isKept = deployment.keepsSessions && last !== undefined;
    // What is executed after its preparation has no other place to go: the values are there.
    const isBound = isKept && isAfterPre(request);
    return {
      calls: calls ?? [requestId],
      deadline: deadline.at,
      signal: deadline.signal,
      // With nowhere else to go, a worker that lives and has answered may be asked again.
      avoid: only === undefined && tried.size < pool.slots.length && !isBound ? tried : undefined,
      only,
      prefer: last?.slot.index,
      keeper: isKept && (isBound || !tried.has(last.worker)) ? last.worker : undefined,
      isRetry: tried.size > 0 || (place !== undefined && turn === own),
    };
  }

  /** The same as `#send` where there is room for the one image and nothing to decode. */
  #sendNow(
    { request }: Inspection,
    { policy, imageFormats }: Deployment,
  ): SentImages | Promise<SentImages> | undefined {
    const { image, guideImage } = request;
    if (guideImage !== undefined && guideImage !== 'same') return undefined;
    const sent = this.#frames.sendNow(image, { proof: policy.proof, imageFormats });
    const alone = (one: SentImage): SentImages => ({ image: one, guideImage: undefined });
    return sent instanceof Promise ? sent.then(alone) : sent && alone(sent);
  }

  /** The frames are complete before a worker hears of them: it takes what is missing for a black image. */
  async #send({ request, deadline, place }: Inspection, deployment: Deployment): Promise<SentImages> {
    const { policy, imageFormats } = deployment;
    const { image, guideImage } = request;
    return deadline.bound('the hand-over of the image', async (signal) => {
      const onWait = place && (() => place.group.seal());
      const hasPillow = () => deployment.hasPillow();
      const how = { signal, proof: policy.proof, imageFormats, hasPillow, ...(onWait && { onWait }) };
      const send = (input: ImageInput) => this.#frames.send(input, how);
      if (guideImage === undefined || guideImage === 'same') {
        return { image: await send(image), guideImage: undefined };
      }
      return this.#pairs.run('', () => sendBoth(send, image, guideImage), signal, onWait);
    });
  }

  #call(
    { phase, request, requestId: ownId, deadline }: Inspection,
    { lease, policy, now }: { lease: Lease; policy: Readonly<SupervisorPolicy>; now: number },
    images: SentImages,
    requestId: string,
  ): Promise<WorkerReply> {
    const leftMs = Math.ceil(deadline.at - now);
    if (leftMs <= 0) throw deadline.error('a free worker');
    const call = workerCallOf({ phase, request, images }, ownId);
    const { attemptTimeoutMs = Infinity } = policy;
    const timeoutMs = Math.min(leftMs, attemptTimeoutMs);
    const reportedTimeoutMs = Math.min(deadline.timeoutMs, attemptTimeoutMs);
    return lease.worker.call(call, {
      timeoutMs,
      reportedTimeoutMs,
      signal: deadline.signal,
      requestId,
    });
  }
}

async function sendBoth(
  send: (input: ImageInput) => Promise<SentImage>,
  first: ImageInput,
  second: ImageInput,
): Promise<SentImages> {
  const [image, guideImage] = await Promise.allSettled([send(first), send(second)]);
  if (image.status === 'fulfilled' && guideImage.status === 'fulfilled') {
    return { image: image.value, guideImage: guideImage.value };
  }
  for (const one of [image, guideImage]) if (one.status === 'fulfilled') one.value.done();
  throw image.status === 'rejected' ? image.reason : (guideImage as PromiseRejectedResult).reason;
}

/** The worker left between the moment it was given and the moment it was asked. */
function isNeverSent(error: unknown, { worker }: Lease): boolean {
  return RunnerError.is(error, 'closed') && (worker.state === 'exited' || worker.state === 'stopping');
}

/** A worker has read something else: the next attempt gets new files. */
function renewImages({ image, guideImage }: SentImages): void {
  image.renew();
  guideImage?.renew();
}

/** No verdict on an image that went away under the worker. */
function checkThere({ image, guideImage }: SentImages): void {
  if (!image.isLost && !guideImage?.isLost) return;
  throw new RunnerError(
    'closed',
    'The frame pool was closed while the call ran: its answer is not to be trusted',
  );
}

function resultOf(
  reply: WorkerReply,
  o: {
    requestId: string;
    worker: number;
    attempts: number;
    timing: InspectionResult['timing'];
    deployment: Deployment;
    warnings: string[];
    isDecoded: boolean;
  },
): InspectionResult {
  const { status, message, errorCode, raised, exception: kind, data, nonFinite } = reply;
  const { requestId, worker, attempts, timing, warnings } = o;
  const { name, version } = o.deployment.entry;
  // What an answer need not have is set, and not spread: an object that begins as a spread gets a shape of its own each time.
  const result: InspectionResult = {
    status,
    message,
    data,
    requestId,
    worker,
    attempts,
    timing,
    name,
    version,
    warnings,
  };
  if (errorCode !== undefined) result.errorCode = errorCode;
  const exception = raised ?? (kind === undefined ? undefined : { type: kind, message, traceback: '' });
  if (exception) result.exception = exception;
  if (nonFinite.length > 0) result.nonFinite = nonFinite;
  if (reply.bigIntegers) result.bigIntegers = reply.bigIntegers;
  if (reply.metrics) result.metrics = reply.metrics;
  if (reply.pictures) result.proof = { images: reply.pictures, by: o.isDecoded ? 'host' : 'worker' };
  return result;
}
