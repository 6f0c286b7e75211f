import type { RunnerError } from '../errors.js';
import { CallBounds } from './call-bounds.js';
import type { Conversation } from './conversation.js';
import { OutgoingCalls, type Encoding, type Sending } from './outgoing-calls.js';
import type { PendingCall } from './pending-call.js';
import type { NumberedCall, RunAfter, WorkerManyOptions, WorkerReply } from './types.js';

/** The worker that messages go to: the same for all of them. */
export interface MessageContext {
  encoding: Encoding;
  sending: Sending;
  conversation: Conversation;
  after: RunAfter | undefined;
  /** A message begins with these. `isWhole`: none follow. */
  begun: (calls: readonly NumberedCall[], isWhole: boolean) => void;
  /** All of it is answered. */
  over: () => void;
  late: (what: string, timeoutMs: number) => RunnerError;
  fail: (error: RunnerError, reason: string) => void;
}

interface MessageLimits extends WorkerManyOptions {
  phase: string;
  timeoutMs: number;
}

/** A message of one or several calls that is with a worker. It may go in parts: the worker begins while the host writes the next pictures. */
export class CallMessage {
  readonly #context: MessageContext;
  readonly #limits: MessageLimits;
  readonly #ended = (call: PendingCall) => {
    this.#onEnd(call);
  };
  #bounds: CallBounds | undefined;
  #isOpen = true;
  #left = 0;
  #answered = 0;
  #lost = 0;
  /** A part whose pictures are still being written: what follows waits for it. */
  #before: Promise<void> | undefined;

  constructor(context: MessageContext, limits: MessageLimits) {
    this.#context = context;
    this.#limits = limits;
  }

  /** Whether parts may follow. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Sends calls; `more` follow. Gives the answer of each. @throws RunnerError for what cannot be sent: then nothing of it is */
  add(calls: readonly NumberedCall[], more = false): Promise<WorkerReply>[] {
    const { encoding, sending, begun, conversation } = this.#context;
    const isWhole = !more && this.#bounds === undefined;
    const form = isWhole ? 'whole' : more ? 'part' : 'last';
    const part = new OutgoingCalls(calls, form, encoding, this.#ended);
    if (this.#bounds) {
      this.#bounds.added(!more);
    } else {
      this.#bounds = this.#bound();
      begun(calls, isWhole);
    }
    this.#left += calls.length;
    this.#isOpen = more;
    conversation.add(part.pending);
    const answers = part.send(sending, this.#before);
    this.#before = part.written;
    if (this.#left === 0) this.#endIfOver();
    return answers;
  }

  /** Nothing more comes of it: the process is gone. */
  drop(): void {
    this.#isOpen = false;
    this.#bounds?.end();
  }

  #bound(): CallBounds {
    const { late, fail, after } = this.#context;
    const { phase, timeoutMs, signal } = this.#limits;
    const { answerMs = timeoutMs, reportedTimeoutMs = timeoutMs } = this.#limits;
    return new CallBounds({
      late: () => late(`answer ${phase}`, reportedTimeoutMs),
      ...{ timeoutMs, answerMs, signal, after, what: `${phase} call`, fail },
    });
  }

  #onEnd(call: PendingCall): void {
    this.#left--;
    if (call.end === 'answered') this.#answered++;
    else if (call.end) this.#lost++;
    this.#context.conversation.drop(call);
    this.#bounds?.answered(this.#left);
    this.#endIfOver();
  }

  #endIfOver(): void {
    if (this.#left > 0 || this.#isOpen) return;
    this.#bounds?.end();
    const { sending, over } = this.#context;
    if (sending.losses.isBeyondHelp(this.#lost, this.#answered)) sending.kill('cannot read its pictures');
    over();
  }
}
