import { RunnerError } from '../../errors.js';
import type { NumberedCall, WorkerReply } from '../../worker/types.js';
import type { Deadline } from '../clock.js';
import type { Deployment } from '../deployments/deployment.js';
import type { DeploymentLease } from '../deployments/deployment-table.js';
import type { Patience } from '../pool/call-line.js';
import type { AcquireOptions, CallTurn, Lease } from '../pool/worker-pool.js';

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
 * written one after the other. The message goes when it is sealed: when all have come, or when an image would have to wait
 * for room, which those that are written may hold. Who comes later goes alone.
 */
export class CallGroup {
  #deployment: Deployment | undefined;
  #canary: DeploymentLease['canary'];
  #turn: CallTurn | undefined;
  #calls: Waiting[] = [];
  #isSealed = false;

  /** A place for one call, the next after the one before has come. */
  place(): GroupPlace {
    return new GroupPlace(this);
  }

  get isSealed(): boolean {
    return this.#isSealed;
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
    });
  }

  /** Nobody else comes. */
  seal(): void {
    if (this.#isSealed) return;
    this.#isSealed = true;
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
      const shared = new SharedLease(calls.length, (replies) => {
        if (lease) pool.release(lease, ...replies);
        pool.leave(turn);
      });
      for (const [index, { resolve }] of calls.entries()) {
        const answer = answers[index];
        if (answer) resolve({ lease, answer, over: (reply) => shared.over(reply) });
      }
    } catch (error) {
      if (lease) pool.release(lease);
      pool.leave(turn);
      // It is not what one of them has to be refused for: too large together, or a worker that left in this moment.
      const canGoAlone = RunnerError.is(error, 'invalid_params') || RunnerError.is(error, 'closed');
      for (const { resolve, reject } of calls) {
        if (lease && canGoAlone) resolve(undefined);
        else reject(error);
      }
    }
  }

  #ask({ worker }: Lease, calls: readonly NumberedCall[], deadline: Deadline): Promise<WorkerReply>[] {
    const timeoutMs = Math.ceil(deadline.leftMs);
    if (timeoutMs <= 0) throw deadline.error('a free worker');
    const { attemptTimeoutMs } = this.#deployment?.policy ?? {};
    return worker.callMany(calls, {
      ...{ timeoutMs, signal: deadline.signal },
      ...(attemptTimeoutMs !== undefined && { answerMs: attemptTimeoutMs }),
      reportedTimeoutMs: Math.min(deadline.timeoutMs, attemptTimeoutMs ?? Infinity),
    });
  }
}

/** Counts the calls that share a worker. */
class SharedLease {
  readonly #replies: (WorkerReply | undefined)[] = [];
  readonly #count: number;
  readonly #free: (replies: (WorkerReply | undefined)[]) => void;

  constructor(count: number, free: (replies: (WorkerReply | undefined)[]) => void) {
    this.#count = count;
    this.#free = free;
  }

  over(reply: WorkerReply | undefined): void {
    this.#replies.push(reply);
    if (this.#replies.length === this.#count) this.#free(this.#replies);
  }
}

/** The place of one call in a group. */
export class GroupPlace {
  readonly group: CallGroup;
  /** Resolves when its images are written, or it will not come. */
  readonly arrived: Promise<void>;
  /** Its images are written, or it will not come. */
  readonly arrive: () => void;
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

  /** See {@link CallGroup.join}. */
  join(call: WrittenCall): Promise<SharedCall | undefined> {
    this.#hasJoined = true;
    const joined = this.group.join(call);
    this.arrive();
    return joined;
  }
}
