import { RunnerError } from '../../errors.js';
import type { NumberedCall, WorkerReply } from '../../worker/types.js';
import type { Deadline } from '../clock.js';
import type { Deployment } from '../deployments/deployment.js';
import type { DeploymentLease } from '../deployments/deployment-table.js';
import type { Patience } from '../pool/call-line.js';
import { isReplyFatal } from '../pool/retry.js';
import type { AcquireOptions, CallTurn, Lease } from '../pool/worker-pool.js';

/** Share of what is left to its first call, after which a message goes with those that have come. */
const MOST_WAIT = 0.5;

/**
 * Longest time that a message with a worker waits for the next image, in milliseconds: the worker can have no other call. An image
 * that takes longer goes alone.
 */
const MOST_PAUSE_MS = 20;

/** What a worker says in its hello that takes several calls in one message. */
export const BATCH = 'batch';
/** The same of a worker to which the message may go in parts. */
const BATCH_PARTS = 'batch_parts';

/** A call whose images are written. */
interface WrittenCall extends NumberedCall {
  deadline: Deadline;
  /** Gets a worker for the message. */
  acquire: (o: Pick<AcquireOptions, 'calls'> & { turn: CallTurn }) => Lease | Promise<Lease>;
  /** The same where one is free now. */
  acquireNow: (o: Pick<AcquireOptions, 'calls'> & { turn: CallTurn }) => Lease | undefined;
}

/** A call that is with a worker, together with others. */
interface SharedCall {
  lease: Lease;
  answer: Promise<WorkerReply>;
  /** The call is over, with this reply or without one: the worker is free when the last one is. */
  over: (reply: WorkerReply | undefined) => void;
}

interface Waiting extends WrittenCall {
  /** With undefined: the message is not sent, and the call is to go by itself. */
  resolve: (shared: SharedCall | undefined) => void;
  reject: (error: unknown) => void;
}

/**
 * Calls that go to one worker in one message. They have one turn in the line of their deployment, and their images are
 * written one after the other. The message goes when it is sealed: when all have come, when the first has waited for half of
 * what was left to it, or when an image would have to wait for room, which those that are written may hold. Who comes later goes alone.
 *
 * Where a worker is free that takes a message in parts, those that are written go at once, so that it begins with them while the
 * next are written. The last of them stays back, for the message may end with it.
 */
export class CallGroup {
  #deployment: Deployment | undefined;
  #routed: Pick<DeploymentLease, 'canary' | 'kept'> = {};
  #turn: CallTurn | undefined;
  /** Calls whose images are written and that are not sent. */
  #calls: Waiting[] = [];
  readonly #ids: string[] = [];
  readonly #mostCalls: number;
  /** The worker that has a part of the message. */
  #shared: SharedLease | undefined;
  #hasComeSince = false;
  /** What is to be left to its first call when it is sealed. */
  #leastLeftMs = 0;
  #isSealed = false;
  #stopWaiting: (() => void) | undefined;

  /** Resolves when those that have left the message unanswered are over. */
  #left: Promise<void> = Promise.resolve();

  /** `mostCalls`: that may come. */
  constructor(mostCalls = 1) {
    this.#mostCalls = mostCalls;
  }

  /** A place for one call, the next after the one before has come. */
  place(): GroupPlace {
    return new GroupPlace(this);
  }

  get isSealed(): boolean {
    return this.#isSealed;
  }

  /** Calls whose images are written; of a message that is not sealed those that may come are counted with them. */
  get size(): number {
    return this.#isSealed ? this.#ids.length : Math.max(this.#ids.length, this.#mostCalls);
  }

  /** Whether images are written that wait for the others. */
  get hasWritten(): boolean {
    return this.#calls.length > 0;
  }

  /** Where the calls of the message go, once the first is routed: one look at the mapping is for all of them. */
  get lease(): DeploymentLease | undefined {
    const deployment = this.#isSealed ? undefined : this.#deployment;
    if (!deployment || deployment.isEnding) return undefined;
    return { deployment, release: deployment.retain(), ...this.#routed };
  }

  /** Takes a call in, when it goes to where the others go. `admit`: into the line, for all of them. @throws what `admit` throws */
  enter({ deployment, canary, kept }: DeploymentLease, admit: () => CallTurn): boolean {
    if (this.#isSealed || !deployment.isReady) return false;
    if (!this.#deployment) {
      if (!deployment.pool.ready?.capabilities.includes(BATCH)) return false;
      this.#turn = admit();
      this.#deployment = deployment;
      this.#routed = canary ? { canary, kept } : { kept };
    }
    return this.#deployment === deployment;
  }

  /** See `WorkerPool.letOn`. */
  letOn(patience: Patience): Promise<unknown> | undefined {
    if (!this.#turn || this.#turn.isInside) return undefined;
    const wait = this.#deployment?.pool.letOn(this.#turn, patience);
    wait?.catch(() => {
      this.#isSealed = true;
    });
    return wait;
  }

  /** The images of a call are written: resolves when it is on its way. */
  join(call: WrittenCall): Promise<SharedCall | undefined> {
    return new Promise((resolve, reject) => {
      this.#calls.push({ ...call, resolve, reject });
      this.#ids.push(call.requestId);
      this.#hasComeSince = true;
      // An image may take long to come, or to be decoded: that is not the time of those that wait for it.
      if (!this.#stopWaiting) this.#leastLeftMs = call.deadline.leftMs * (1 - MOST_WAIT);
      this.#stopWaiting ??= call.deadline.afterShare(MOST_WAIT, () => {
        this.seal();
      });
      this.#begin();
    });
  }

  /**
   * A call leaves without its answer, to go by itself until it is `over`: resolves when those that left before it are over. At
   * once they would wait for each other, in the time of each.
   */
  async leave(over: Promise<void>): Promise<void> {
    const before = this.#left;
    this.#left = before.then(() => over);
    await before;
  }

  /** Nobody else comes. */
  seal(): void {
    if (this.#isSealed) return;
    this.#isSealed = true;
    this.#stopWaiting?.();
    void this.#send();
  }

  /** Sends what has come but the last of it, where a worker takes it now. */
  #begin(): void {
    const [first, second] = this.#calls;
    const [deployment, turn] = [this.#deployment, this.#turn];
    if (!first || !second || !deployment || !turn || this.#isSealed) return;
    if (!this.#shared) {
      if (!deployment.pool.ready?.capabilities.includes(BATCH_PARTS)) return;
      const lease = first.acquireNow({ turn, calls: this.#ids });
      if (!lease) return;
      this.#share(lease, deployment, turn);
      this.#stopWaiting?.();
      this.#sealAtPause(first.deadline);
    }
    this.#sendPart(this.#calls.splice(0, this.#calls.length - 1), true);
  }

  #share(lease: Lease, deployment: Deployment, turn: CallTurn): SharedLease {
    return (this.#shared = new SharedLease(lease, deployment, () => {
      deployment.pool.leave(turn);
    }));
  }

  /** Its worker waits for nobody who may be long in coming, and with `execute_batch` begins when the last has come. */
  #sealAtPause(deadline: Deadline): void {
    this.#hasComeSince = false;
    this.#stopWaiting = deadline.after(MOST_PAUSE_MS, () => {
      if (this.#hasComeSince && deadline.leftMs > this.#leastLeftMs) this.#sealAtPause(deadline);
      else this.seal();
    });
  }

  async #send(): Promise<void> {
    const [deployment, turn] = [this.#deployment, this.#turn];
    if (!deployment || !turn) return;
    const calls = this.#calls.splice(0);
    const [first] = calls;
    try {
      if (!this.#shared) {
        if (first) this.#share(await first.acquire({ turn, calls: this.#ids }), deployment, turn);
        else deployment.pool.leave(turn);
      }
    } catch (error) {
      deployment.pool.leave(turn);
      giveUp(calls, error, false);
      return;
    }
    this.#sendPart(calls, false);
    this.#shared?.end();
  }

  /** Sends calls to the worker; `more` follow. */
  #sendPart(calls: readonly Waiting[], more: boolean): void {
    const shared = this.#shared;
    if (!shared) return;
    try {
      const answers = this.#ask(shared.lease, calls, more);
      for (const [index, { resolve }] of calls.entries()) {
        const answer = answers[index];
        if (answer) resolve(shared.take(answer));
      }
    } catch (error) {
      giveUp(calls, error, true);
      if (!more) shared.endMessage();
      else if (!RunnerError.is(error, 'invalid_params')) this.seal();
    }
  }

  #ask({ worker }: Lease, calls: readonly Waiting[], more: boolean): Promise<WorkerReply>[] {
    const [first] = calls;
    if (!first) return worker.callMany([], { more });
    const { deadline } = first;
    const leftMs = Math.ceil(deadline.leftMs);
    if (leftMs <= 0) throw deadline.error('a free worker');
    const attemptMs = this.#deployment?.policy.attemptTimeoutMs ?? Infinity;
    // The worker takes them up one after the other: each has the time of a call from the answer before it.
    const answerMs = Math.min(deadline.timeoutMs, attemptMs);
    const timeoutMs = Math.min(leftMs, attemptMs);
    return worker.callMany(calls, {
      ...{ timeoutMs, answerMs, reportedTimeoutMs: answerMs, signal: deadline.signal, more },
    });
  }
}

/** Calls are not sent, for want of a worker or, with `hasWorker`, because it did not take them. */
function giveUp(calls: readonly Waiting[], error: unknown, hasWorker: boolean): void {
  // It is not what one of them has to be refused for: too large together, or a worker that left in this moment.
  const canGoAlone = RunnerError.is(error, 'invalid_params') || RunnerError.is(error, 'closed');
  const isLate = RunnerError.is(error, 'timeout'); // the first is
  for (const { resolve, reject, deadline } of calls) {
    if ((hasWorker && canGoAlone) || (isLate && deadline.leftMs > 0)) resolve(undefined);
    else reject(error);
  }
}

/** The worker that calls of one message share: it is free when the last of them is over. */
class SharedLease {
  readonly lease: Lease;
  readonly #deployment: Deployment;
  readonly #freed: () => void;
  readonly #replies: (WorkerReply | undefined)[] = [];
  #count = 0;
  #hasEnded = false;
  #isSpoilt = false;

  constructor(lease: Lease, deployment: Deployment, freed: () => void) {
    this.lease = lease;
    this.#deployment = deployment;
    this.#freed = freed;
  }

  take(answer: Promise<WorkerReply>): SharedCall {
    this.#count++;
    return { lease: this.lease, answer: this.#trusted(answer), over: (reply) => this.#over(reply) };
  }

  /**
   * What a process answers after an exception that the policy calls fatal is no verdict: its calls go to the next process.
   *
   * @throws RunnerError `closed`, the worker being about to end
   */
  async #trusted(answer: Promise<WorkerReply>): Promise<WorkerReply> {
    const reply = await answer;
    const { policy, title } = this.#deployment;
    if (isReplyFatal(reply, policy)) {
      if (!this.#isSpoilt) void this.lease.worker.stop('fatal exception');
      this.#isSpoilt = true;
    } else if (this.#isSpoilt) {
      throw new RunnerError(
        'closed',
        `A worker of ${title} had a fatal exception before it answered this call`,
      );
    }
    return reply;
  }

  /** Tells the worker that no part follows, where the last part could not. */
  endMessage(): void {
    try {
      void this.lease.worker.callMany([], { more: false });
    } catch {
      // It is gone, or about to go.
    }
  }

  /** No call follows. */
  end(): void {
    this.#hasEnded = true;
    this.#freeIfOver();
  }

  #over(reply: WorkerReply | undefined): void {
    this.#replies.push(reply);
    this.#freeIfOver();
  }

  #freeIfOver(): void {
    if (!this.#hasEnded || this.#replies.length < this.#count) return;
    this.#deployment.pool.release(this.lease, ...this.#replies);
    this.#freed();
  }
}

/** The place of one call in a group. */
export class GroupPlace {
  readonly group: CallGroup;
  /** Resolves when its images are written, or it will not come. */
  readonly arrived: Promise<void>;
  /** Its images are written, or it will not come. */
  readonly arrive: () => void;
  /** The call is over. */
  end: () => void = () => undefined;
  #hasJoined = false;

  constructor(group: CallGroup) {
    this.group = group;
    let resolve!: () => void;
    this.arrived = new Promise((done) => (resolve = done));
    this.arrive = resolve;
  }

  /** Whether the call may still go with the others. */
  get isOpen(): boolean {
    return !this.#hasJoined && !this.group.isSealed;
  }

  /** It has to wait for something else than its images: those that are written do not wait for it. */
  stepAside(): void {
    if (this.group.hasWritten) this.arrive();
  }

  /** See {@link CallGroup.leave}. */
  leave(): Promise<void> {
    return this.group.leave(new Promise((resolve) => (this.end = resolve)));
  }

  /** See {@link CallGroup.join}. */
  join(call: WrittenCall): Promise<SharedCall | undefined> {
    this.#hasJoined = true;
    const joined = this.group.join(call);
    this.arrive();
    return joined;
  }
}
