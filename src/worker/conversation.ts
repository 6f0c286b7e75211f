import { RunnerError } from '../errors.js';
import { FrameDecoder, type DecodedItem } from './frame-codec.js';
import { standBackToEnd } from '../process/priority.js';
import { Handshake } from './handshake.js';
import { readMessage, type WorkerMessage } from './messages.js';
import type { PendingCall } from './pending-call.js';
import { Pings } from './heartbeat.js';
import { StrayRun } from './stray-run.js';
import { notLoaded } from './worker-failures.js';
import type { ProtocolErrorInfo, StrayOutput, WorkerState } from './types.js';

/** What the conversation must know of its worker, and whom it tells. */
export interface ConversationContext {
  /** Names the worker in an error. */
  title: () => string;
  entryPoint: string;
  state: () => WorkerState;
  /** Last lines of stderr. */
  lastLines: () => string[];
  /** The launcher waits for its answer. */
  launched: (message: WorkerMessage & { type: 'launcher' }) => void;
  /** Text between frames. */
  stray: (text: string, output: StrayOutput) => void;
  /** An idle worker has answered a ping. */
  alive: () => void;
  /** Process id of a worker that answers the shutdown after its teardown: the bundled one. The SDK's adapter does so before. */
  endsAfterTeardown: () => number | undefined;
  /** What has come another way than over stdout. */
  received: () => Buffer[];
  /** A frame that was skipped. */
  protocolError: (error: RunnerError, info: ProtocolErrorInfo) => void;
  /** A frame that was skipped, and that may have been the answer to the call in flight. */
  answerLost: (error: RunnerError) => void;
}

/**
 * What a worker says, sorted: each message goes to the one thing that waits for it, the rest is reported and dropped. A
 * late answer never reaches another call: it bears the id of its own.
 */
export class Conversation {
  /** What the start still waits for. */
  readonly handshake = new Handshake();
  readonly pings = new Pings();
  /** The calls in flight: one, or those of one message that are not answered yet. */
  pending: readonly PendingCall[] = [];
  readonly #context: ConversationContext;
  #isLaunched = false;
  #hasGreeted = false;
  readonly #messages: MessageReader;

  constructor(maxFrameBytes: number, context: ConversationContext) {
    this.#context = context;
    this.#messages = new MessageReader(maxFrameBytes, {
      message: (message) => {
        this.#onMessage(message);
      },
      stray: context.stray,
    });
  }

  /** Takes what came from stdout. */
  push(chunk: Buffer): void {
    this.#messages.push(chunk);
  }

  /** Nothing more comes from stdout. */
  end(): void {
    this.#messages.end();
  }

  /** Rejects the calls in flight and the start that is under way. */
  fail(error: RunnerError): void {
    for (const call of this.pending) call.fail(error);
    this.handshake.fail(error);
  }

  /** Calls are in flight from now on. */
  add(calls: readonly PendingCall[]): void {
    this.pending = this.pending.length === 0 ? calls : [...this.pending, ...calls];
  }

  /** A call is in flight no more. */
  drop(call: PendingCall): void {
    this.pending = this.pending.length === 1 ? [] : this.pending.filter((other) => other !== call);
  }

  #onMessage(message: WorkerMessage): void {
    // What the worker has sent the other way, it has sent before its answer. An answer with a report of pictures needs none.
    if ((message.type === 'result' || message.type === 'error') && !message.pictures) {
      for (const body of this.#context.received()) this.#onMessage(readMessage(body));
    }
    switch (message.type) {
      case 'hello':
        this.#onHello(message);
        return;
      case 'pong':
        this.#onPong(message.requestId);
        return;
      case 'result':
        this.#pendingOf(message.requestId, 'result')?.answer(message, this.#context.title());
        return;
      case 'error':
        if (message.requestId === undefined) this.#onErrorOfNoCall(message);
        else this.#pendingOf(message.requestId, 'error')?.answer(message, this.#context.title());
        return;
      case 'pictures':
        this.#pendingOf(message.requestId, 'report of pictures')?.note(message.pictures);
        return;
      case 'shutdown':
        this.#onFarewell();
        return;
      case 'launcher':
        if (!this.#isLaunched && this.#context.state() === 'starting') {
          this.#isLaunched = true;
          this.#context.launched(message);
        }
        return;
      case 'fault':
        this.#onFault(message);
    }
  }

  #onFarewell(): void {
    const process = this.#context.state() === 'stopping' ? this.#context.endsAfterTeardown() : undefined;
    if (process !== undefined) standBackToEnd(process);
  }

  /** The first one may come when the start is over already (stopped, or too late): then nothing waits for it, and it is no fault. */
  #onHello(message: WorkerMessage & { type: 'hello' }): void {
    if (this.#hasGreeted) {
      this.#report('a second hello');
      return;
    }
    this.#hasGreeted = true;
    this.handshake.arrive(message);
  }

  #onPong(requestId: string | undefined): void {
    const state = this.#context.state();
    if (!this.pings.settle(requestId)) {
      this.#report(`a pong nobody asked for (${String(requestId)})`);
    } else if (state === 'starting') {
      this.handshake.arrive(undefined);
    } else if (state === 'idle') {
      this.#context.alive();
    }
  }

  /** Sent after hello when the entry point cannot be imported; the process then leaves with exit code 0. */
  #onErrorOfNoCall({ message, errorCode }: WorkerMessage & { type: 'error' }): void {
    const { title, entryPoint, state, lastLines } = this.#context;
    if (state() !== 'starting') {
      this.#report(`an error that belongs to no call: ${message} (${errorCode ?? 'no code'})`);
      return;
    }
    this.handshake.fail(notLoaded(title(), entryPoint, { message, errorCode }, lastLines()));
  }

  /**
   * The call that an answer belongs to. An answer to an unknown or finished call is dropped, and reported unless its worker
   * is being ended: what that one had under way is no fault of it.
   */
  #pendingOf(requestId: string, what: string): PendingCall | undefined {
    const call = this.pending.find((one) => one.requestId === requestId);
    if (call) return call;
    const state = this.#context.state();
    if (state !== 'stopping' && state !== 'exited')
      this.#report(`a ${what} for request ${requestId}, which is not waiting for one`);
    return undefined;
  }

  /** A frame that cannot be read may have been the answer: then the call in flight would wait for nothing. */
  #onFault({ message, isLost }: WorkerMessage & { type: 'fault' }): void {
    const endsCall = isLost && this.pending.length > 0;
    const error = this.#report(message, { endsCall });
    if (endsCall) this.#context.answerLost(error);
  }

  #report(message: string, info: ProtocolErrorInfo = { endsCall: false }): RunnerError {
    const { title, lastLines, protocolError } = this.#context;
    const error = new RunnerError('protocol_error', `${title()} sent ${message}`, {
      details: { output: lastLines() },
    });
    protocolError(error, info);
    return error;
  }
}

/** Where the parts of a worker's output go. */
export interface MessageListeners {
  /** A message, or a frame that was none (`fault`). */
  message: (message: WorkerMessage) => void;
  /** Text between frames: one for all that came between two of them. */
  stray: (text: string, output: StrayOutput) => void;
}

/** Turns the bytes of a worker's stdout into messages. */
export class MessageReader {
  readonly #decoder: FrameDecoder;
  readonly #stray: StrayRun;
  readonly #listeners: MessageListeners;

  constructor(maxFrameBytes: number, listeners: MessageListeners) {
    this.#decoder = new FrameDecoder(maxFrameBytes);
    this.#listeners = listeners;
    this.#stray = new StrayRun({
      stray: listeners.stray,
      emptyFrame: () => {
        listeners.message({ type: 'fault', message: 'a frame of length 0', isLost: false });
      },
    });
  }

  push(chunk: Buffer): void {
    this.#pass(this.#decoder.push(chunk));
  }

  /** End of the stream: reports an unfinished message. */
  end(): void {
    this.#pass(this.#decoder.end());
    this.#stray.end();
  }

  #pass(items: DecodedItem[]): void {
    for (const item of items) {
      if (item.kind === 'stray') {
        this.#stray.add(item.bytes);
        continue;
      }
      this.#stray.end();
      this.#listeners.message(item.kind === 'fault' ? { ...item, type: 'fault' } : readMessage(item.body));
    }
  }
}
