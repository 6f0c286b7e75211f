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

/** What a worker says in its hello that takes several calls in one message. */
export const BATCH = 'batch';

/** A call whose images are written. */
interface WrittenCall extends NumberedCall {
  deadline: Deadline;
  /** Gets a worker for the message. */
  acquire: (o: Pick<AcquireOptions, 'calls'> & { turn: CallTurn }) => Lease | Promise<Lease>;
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
 */
export class CallGroup {
  #deployment: Deployment | undefined;
  #canary: DeploymentLease['canary'];
  #turn: CallTurn | undefined;
  #calls: Waiting[] = [];
  #isSealed = false;
  #stopWaiting: (() => void) | undefined;

  /** Resolves when those that have left the message unanswered are over. */
  #left: Promise<void> = Promise.resolve();

  /** A place for one call, the next after the one before has come. */
  place(): GroupPlace {
    return new GroupPlace(this);
  }

  get isSealed(): boolean {
    return this.#isSealed;
  }

  /** Calls whose images are written. */
  get size(): number {
    return this.#calls.length;
  }

  /** Where the calls of the message go, once the first is routed: one look at the mapping is for all of them. */
  get lease(): DeploymentLease | undefined {
    const deployment = this.#isSealed ? undefined : this.#deployment;
    if (!deployment || deployment.isEnding) return undefined;
    return { deployment, release: deployment.retain(), ...(this.#canary && { canary: this.#canary }) };
  }

  /** Takes a call in, when it goes to where the others go. `admit`: into the line, for all of them. @throws what `admit` throws */
  enter({ deployment, canary }: DeploymentLease, admit: () => CallTurn): boolean {
    if (this.#isSealed || !deployment.isReady) return false;
    if (!this.#deployment) {
      if (!deployment.pool.ready?.capabilities.includes(BATCH)) return false;
      this.#turn = admit();
      this.#deployment = deployment;
      this.#canary = canary;
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

  /** The images of a call are written: resolves when the message is on its way. */
  join(call: WrittenCall): Promise<SharedCall | undefined> {
    return new Promise((resolve, reject) => {
      this.#calls.push({ ...call, resolve, reject });
      // An image may take long to come, or to be decoded: that is not the time of those that wait for it.
      this.#stopWaiting ??= call.deadline.afterShare(MOST_WAIT, () => {
        this.seal();
      });
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

  async #send(): Promise<void> {
    const [calls, deployment, turn] = [this.#calls, this.#deployment, this.#turn];
    if (!deployment || !turn) return;
    const { pool } = deployment;
    const [first] = calls;
    let lease: Lease | undefined;
    try {
      if (!first) {
        pool.leave(turn);
        return;
      }
      lease = await first.acquire({ turn, calls: calls.map(({ requestId }) => requestId) });
      const answers = this.#ask(lease, calls, first.deadline);
      const shared = new SharedLease(lease, deployment, () => {
        pool.leave(turn);
      });
      for (const [index, { resolve }] of calls.entries()) {
        const answer = answers[index];
        if (answer) resolve(shared.take(answer));
      }
    } catch (error) {
      if (lease) pool.release(lease);
      pool.leave(turn);
      // It is not what one of them has to be refused for: too large together, or a worker that left in this moment.
      const canGoAlone = RunnerError.is(error, 'invalid_params') || RunnerError.is(error, 'closed');
      const isLate = RunnerError.is(error, 'timeout'); // the first is
      for (const { resolve, reject, deadline } of calls) {
        if ((lease && canGoAlone) || (isLate && deadline.leftMs > 0)) resolve(undefined);
        else reject(error);
      }
    }
  }

  #ask({ worker }: Lease, calls: readonly NumberedCall[], deadline: Deadline): Promise<WorkerReply>[] {
    const leftMs = Math.ceil(deadline.leftMs);
    if (leftMs <= 0) throw deadline.error('a free worker');
    const attemptMs = this.#deployment?.policy.attemptTimeoutMs ?? Infinity;
    // The worker takes them up one after the other: each has the time of a call from the answer before it.
    const answerMs = Math.min(deadline.timeoutMs, attemptMs);
    const timeoutMs = Math.min(leftMs, attemptMs);
    return worker.callMany(calls, {
      ...{ timeoutMs, answerMs, reportedTimeoutMs: answerMs, signal: deadline.signal },
    });
  }
}

/** The worker that calls of one message share: it is free when the last of them is over. */
class SharedLease {
  readonly #lease: Lease;
  readonly #deployment: Deployment;
  readonly #freed: () => void;
  readonly #replies: (WorkerReply | undefined)[] = [];
  #count = 0;
  #isSpoilt = false;

  constructor(lease: Lease, deployment: Deployment, freed: () => void) {
    this.#lease = lease;
    this.#deployment = deployment;
    this.#freed = freed;
  }

  take(answer: Promise<WorkerReply>): SharedCall {
    this.#count++;
    return { lease: this.#lease, answer: this.#trusted(answer), over: (reply) => this.#over(reply) };
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
      if (!this.#isSpoilt) void this.#lease.worker.stop('fatal exception');
      this.#isSpoilt = true;
    } else if (this.#isSpoilt) {
      throw new RunnerError(
        'closed',
        `A worker of ${title} had a fatal exception before it answered this call`,
      );
    }
    return reply;
  }

  #over(reply: WorkerReply | undefined): void {
    this.#replies.push(reply);
    if (this.#replies.length < this.#count) return;
    this.#deployment.pool.release(this.#lease, ...this.#replies);
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
    if (this.group.size > 0) this.arrive();
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
