import type { OperationOptions } from '../abort.js';
import { abortError, listenForAbort, settleOrAbort, throwIfAborted } from '../abort.js';
import { SafeEmitter } from '../emitter.js';
import { RunnerError } from '../errors.js';
import type { DescriptorChannel } from '../frames/descriptor-channel.js';
import type { WorkerBounds } from '../process/containment.js';
import { bothProcessIds } from '../product-ids.js';
import { showAs } from '../readable.js';
import { CallMessage, type MessageContext } from './call-message.js';
import { Losses, openChannel } from './call-pictures.js';
import { Conversation } from './conversation.js';
import { helloOf } from './handshake.js';
import { encodeFrame } from './frame-codec.js';
import { checkGeneration } from './generations.js';
import { Heartbeat } from './heartbeat.js';
import { KeptMemory } from './kept-memory.js';
import { checkResources, limitOf, resolveLimits } from './limits.js';
import { LogParser } from './log-parser.js';
import type { WorkerMessage } from './messages.js';
import { aboutOf } from './outgoing-calls.js';
import type { ProcessHandle } from './process-handle.js';
import { startProcess } from './start-process.js';
import type {
  ForkSource,
  NumberedCall,
  RunAfter,
  WorkerCall,
  WorkerCallOptions,
  WorkerEvents,
  WorkerExit,
  WorkerLimits,
  WorkerLog,
  WorkerManyOptions,
  WorkerPing,
  WorkerReady,
  WorkerReply,
  WorkerSpec,
  WorkerState,
} from './types.js';
import { exitFailures, heartbeatLost, takesNone, tooLate } from './worker-failures.js';

/** Between SIGTERM and SIGKILL for a worker that has failed: it had its time. */
const KILL_GRACE_MS = 300;

/**
 * One Python process that runs one algorithm (worker protocol of the SDK, both generations). It is ready once `hello`
 * and a pong have come: the worker reads its input only after the algorithm is loaded.
 *
 * One call at a time. A call that times out, is aborted, or is answered by garbage ends the process, of which nobody
 * knows what it does. `exited` tells when it is really gone.
 */
export class AlgorithmWorker extends SafeEmitter<WorkerEvents> {
  /** What it runs. */
  readonly spec: WorkerSpec;
  /** Its time limits, defaults filled in. */
  readonly limits: WorkerLimits;
  /** Resolves when the process has exited; never rejects. Never settles if it was not started. */
  readonly exited: Promise<WorkerExit>;

  readonly #after: RunAfter | undefined;
  readonly #conversation: Conversation;
  readonly #logs: LogParser;
  readonly #heartbeat: Heartbeat;
  #process: ProcessHandle | undefined;
  readonly #server: ForkSource | undefined;
  #channel: DescriptorChannel | undefined;
  #state: WorkerState = 'new';
  #ready: WorkerReady | undefined;
  /** The call that runs, or ran last: what it is that a log tells of. */
  #asked: Pick<WorkerLog, 'requestId' | 'productId' | 'stepIndex'> = {};
  #nextRequest = 1;
  #message: CallMessage | undefined;
  #messages: MessageContext | undefined;
  #reason: { text: string; error?: RunnerError } | undefined;
  #resolveExited!: (exit: WorkerExit) => void;

  /** Limits of calls go by the time of `after`; `server` forks the process, which is spawned otherwise. @throws RunnerError `invalid_params` for a limit or a resource that makes no sense */
  constructor(spec: WorkerSpec, limits?: Partial<WorkerLimits>, after?: RunAfter, server?: ForkSource) {
    super();
    this.#server = server;
    this.#after = after;
    this.spec = spec;
    this.limits = resolveLimits(limits);
    checkResources(spec.resources);
    this.#conversation = new Conversation(this.limits.maxFrameBytes, {
      title: () => this.#title,
      entryPoint: spec.entryPoint,
      state: () => this.#state,
      lastLines: () => this.lastLines,
      launched: (told) => {
        const log_pipe = this.#process?.launched(told) === true;
        this.#send({ type: 'launcher', log_pipe, max_frame_bytes: this.limits.maxFrameBytes });
      },
      stray: (text, output) => this.emit('strayOutput', text, output),
      alive: () => {
        this.#heartbeat.restart();
      },
      endsAfterTeardown: () => (spec.flavour === 'bundled' ? this.#process?.pid : undefined),
      received: () => this.#channel?.receive() ?? [],
      protocolError: (error, info) => this.emit('protocolError', error, info),
      answerLost: (error) => {
        this.#fail(error, 'protocol error');
      },
    });
    this.#logs = new LogParser((log) => this.emit('log', { ...log, ...this.#asked }));
    this.#heartbeat = new Heartbeat({
      intervalMs: this.limits.heartbeatIntervalMs,
      graceMs: this.limits.heartbeatGraceMs,
      ping: () => this.#sendPing(),
      lost: () => this.#onHeartbeatLost(),
    });
    this.exited = new Promise((resolve) => (this.#resolveExited = resolve));
    showAs(this, 'AlgorithmWorker', () => {
      const { name, version, entryPoint, root, flavour = 'sdk' } = spec;
      return { name, version, state: this.#state, ...this.#ready, entryPoint, root, flavour };
    });
  }

  /** Where it stands. */
  get state(): WorkerState {
    return this.#state;
  }

  /** Process id, once spawned. */
  get processId(): number | undefined {
    return this.#process?.pid;
  }

  /** Old name of `processId`. @deprecated use `processId`: it stays for one minor version */
  get pid(): number | undefined {
    return this.processId;
  }

  /** Whether its process was forked from a server. */
  get isForked(): boolean {
    return this.#server !== undefined;
  }

  /** What holds its process, as far as the system gives it; undefined before it is known. */
  get bounds(): WorkerBounds | undefined {
    return this.#process?.bounds;
  }

  /** The handshake, once ready. */
  get ready(): WorkerReady | undefined {
    return this.#ready;
  }

  /** Last lines of stderr, oldest first. */
  get lastLines(): string[] {
    return this.#logs.lastLines;
  }

  /**
   * Spawns the process and waits until the algorithm is loaded.
   *
   * @throws RunnerError `start_failed` when the command, the import or the constructor of the algorithm fails,
   * `timeout` past `helloMs` or `loadMs`, `aborted`
   */
  async start(o: OperationOptions = {}): Promise<WorkerReady> {
    if (this.#state !== 'new') throw new RunnerError('closed', `${this.#title} was started already`);
    throwIfAborted(o.signal, `start of ${this.#title}`);
    const startedAt = performance.now();
    this.#setState('starting');
    const onAbort = () => {
      if (o.signal) this.#fail(abortError(o.signal, `start of ${this.#title}`), 'aborted');
    };
    if (o.signal) listenForAbort(o.signal, onAbort);
    try {
      await this.#spawn();
      const { helloMs, loadMs } = this.limits;
      const { handshake } = this.#conversation;
      const hello = await handshake.expect<WorkerMessage & { type: 'hello' }>(helloMs, () =>
        this.#tooLate('say hello', helloMs),
      );
      await this.#process?.reported;
      this.#send(helloOf(this.limits));
      // The adapter reads its input only after import and setup: this pong proves that the algorithm is loaded.
      this.#sendPing();
      await handshake.expect(loadMs, () => this.#tooLate('load the algorithm', loadMs));
      const generation = checkGeneration(this.#title, this.spec.generation, hello);
      this.#process?.stepForward();
      this.#ready = {
        ...{ ...bothProcessIds(this.#process?.pid ?? -1), generation },
        sdkVersion: hello.sdkVersion,
        capabilities: hello.capabilities,
        startMs: performance.now() - startedAt,
        bounds: this.bounds,
      };
      this.#setState('idle');
      this.#heartbeat.restart();
      this.emit('ready', this.#ready);
      return this.#ready;
    } catch (error) {
      if (this.#process) {
        this.#kill('start failed', RunnerError.is(error) ? error : undefined);
        await this.exited;
      } else {
        this.#channel?.close();
        this.#endUnstarted();
      }
      throw error;
    } finally {
      o.signal?.removeEventListener('abort', onAbort);
    }
  }

  /**
   * One call, answered by a `result` or an `error` frame of the same request.
   *
   * @throws RunnerError `timeout`, `aborted`, `worker_exited`, `protocol_error`, `contract_violation`, `heartbeat_lost`;
   * `queue_full` while another call runs, `closed` when the worker is not ready or gone
   */
  async call(call: WorkerCall, o: WorkerCallOptions = {}): Promise<WorkerReply> {
    if (this.#state === 'busy') throw takesNone(this.#title, this.#state); // it is no part of an open message
    const requestId = o.requestId ?? String(this.#nextRequest++);
    const [reply] = this.callMany([{ call, requestId }], o) as [Promise<WorkerReply>];
    return await reply;
  }

  /**
   * Several calls of one phase in one message, for a worker whose hello tells of `batch`: each is answered or fails by
   * itself. What ends the process fails those that are not answered. With `more` they are a part of it (`batch_parts`), and
   * further calls of this method bring the others, until one is without: it may bring none.
   *
   * @throws RunnerError at once, as {@link AlgorithmWorker.call}, for what cannot be sent
   */
  callMany(calls: readonly NumberedCall[], o: WorkerManyOptions = {}): Promise<WorkerReply>[] {
    const phase = calls[0]?.call.phase ?? 'execute';
    throwIfAborted(o.signal, `${phase} call`);
    if (this.#state === 'busy' && this.#message?.isOpen) return this.#message.add(calls, o.more);
    if (calls.length === 0) return [];
    if (this.#state !== 'idle' || !this.#ready) throw takesNone(this.#title, this.#state);
    this.#messages ??= this.#messagesOf(this.#ready);
    const { timeoutMs = limitOf(this.limits, phase) } = o;
    this.#message = new CallMessage(this.#messages, { ...o, phase, timeoutMs });
    return this.#message.add(calls, o.more);
  }

  /**
   * Pings the worker, also while a call runs: only the bundled worker answers then.
   *
   * @throws RunnerError `timeout` when no pong comes (the worker is left alone), `closed` when it is not running, `aborted`
   */
  async ping(o: { timeoutMs?: number } & OperationOptions = {}): Promise<WorkerPing> {
    throwIfAborted(o.signal, 'ping');
    if (this.#state !== 'idle' && this.#state !== 'busy') {
      throw new RunnerError('closed', `${this.#title} answers no pings: it is ${this.#state}`);
    }
    const { timeoutMs = this.limits.heartbeatGraceMs } = o;
    const pong = this.#conversation.pings.roundTrip(
      timeoutMs,
      (id) => this.#sendPing(id),
      () => this.#tooLate('answer a ping', timeoutMs),
    );
    const roundTripMs = await settleOrAbort(o.signal, pong);
    return { roundTripMs, duringCall: this.#state === 'busy' };
  }

  /**
   * Ends the process and waits for its end: shutdown frame, end of input, SIGTERM, SIGKILL to the whole tree, each
   * after `shutdownMs`. A call that runs is rejected with `closed`; a worker that has one, or is still importing, hears
   * nothing of the first two and starts with SIGTERM.
   */
  async stop(reason = 'stopped'): Promise<WorkerExit> {
    if (this.#state === 'new') this.#endUnstarted();
    if (this.#state === 'exited' || this.#state === 'stopping') return this.whenTreeEnded();
    this.#reason ??= { text: reason };
    // It imports, or runs the call that is being given up: what is written to it now it does not read.
    const isDeaf = this.#state === 'starting' || this.#state === 'busy';
    this.#setState('stopping');
    const stopped = new RunnerError('closed', `${this.#title} was stopped: ${reason}`);
    this.#conversation.fail(stopped);
    const ask = () => {
      this.#send({ type: 'shutdown' });
    };
    await this.#process?.end(isDeaf ? undefined : ask, this.limits.shutdownMs);
    return this.whenTreeEnded();
  }

  /** Resolves when the process is gone and everything it had started with it. */
  whenTreeEnded(): Promise<WorkerExit> {
    return this.exited.finally(() => this.#process?.whenTreeEnded());
  }

  /** See {@link AlgorithmWorker.stop}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('disposed');
  }

  #messagesOf({ generation, capabilities }: WorkerReady): MessageContext {
    const [{ root, frameDirectory: folder, resources }, { maxFrameBytes }] = [this.spec, this.limits];
    const kept = KeptMemory.of(capabilities, resources?.openFiles);
    return {
      ...{ conversation: this.#conversation, after: this.#after, fail: this.#fail.bind(this) },
      encoding: { generation, channel: this.#channel, kept, root, maxFrameBytes },
      sending: {
        write: (frame) => this.#state === 'busy' && this.#process?.write(frame),
        ...{ losses: new Losses(), folder, kill: this.#kill.bind(this) },
      },
      late: this.#tooLate.bind(this),
      begun: (calls, isWhole) => {
        this.#asked = aboutOf(calls, isWhole);
        this.#heartbeat.stop();
        this.#setState('busy');
      },
      over: () => {
        if (this.#state !== 'busy') return;
        this.#setState('idle');
        this.#heartbeat.restart();
      },
    };
  }

  get #title(): string {
    const pid = this.#process ? ` (process ${this.#process.pid})` : '';
    return `The worker of ${this.spec.name} ${this.spec.version}${pid}`;
  }

  async #spawn(): Promise<void> {
    this.#channel = await openChannel(this.spec);
    this.#process = await startProcess(this, this.#channel, this.#server, {
      stdout: this.#conversation.push.bind(this.#conversation),
      stderr: this.#logs.push.bind(this.#logs),
      exit: (exitCode, exitSignal) => {
        this.#onExit(exitCode, exitSignal);
      },
    });
    if (this.#state !== 'starting') this.#process.signal('SIGKILL'); // aborted or stopped while it was spawned
  }

  #tooLate(what: string, timeoutMs: number): RunnerError {
    return tooLate(this.#title, what, timeoutMs, this.lastLines);
  }

  /** Rejects what waits, and ends the process. */
  #fail(error: RunnerError, reason: string): void {
    this.#kill(reason, error);
    this.#conversation.fail(error);
  }

  #kill(reason: string, error?: RunnerError): void {
    this.#reason ??= { text: reason, error };
    if (this.#state === 'exited') return;
    if (this.#state !== 'stopping') this.#setState('stopping');
    void this.#process?.end(undefined, KILL_GRACE_MS);
  }

  #endUnstarted(): void {
    this.#setState('exited');
    this.#resolveExited({ exitCode: null, exitSignal: null, reason: 'never started', lastLines: [] });
  }

  #onExit(exitCode: number | null, exitSignal: NodeJS.Signals | null): void {
    this.#conversation.end();
    this.#message?.drop();
    this.#channel?.close();
    this.#logs.end();
    this.#heartbeat.end();
    if (this.#server?.isGone) this.#reason ??= { text: 'its fork server has ended' };
    const isKilled = exitSignal === 'SIGKILL' && this.#reason === undefined;
    const { beforeReady, byItself, ended } = exitFailures(this.#title, exitCode, exitSignal, this.lastLines, {
      isOutOfMemory: isKilled && this.#process?.wasKilledForMemory() === true,
      ...(this.#state === 'starting' && { spec: this.spec }),
    });
    this.#conversation.handshake.fail(beforeReady);
    const { error, text: reason } = this.#reason ?? { error: byItself, text: 'exited' };
    const { pending } = this.#conversation;
    this.#setState('exited');
    for (const call of pending) call.fail(error ?? ended);
    const exit: WorkerExit = { exitCode, exitSignal, reason, error, lastLines: this.lastLines };
    this.emit('exit', exit);
    this.#resolveExited(exit);
  }

  #onHeartbeatLost(): void {
    const error = heartbeatLost(this.#title, this.limits.heartbeatGraceMs, this.lastLines);
    this.emit('heartbeatLost', error);
    this.#fail(error, 'heartbeat lost');
  }

  #sendPing(id = this.#conversation.pings.open()): void {
    // No more is written to a worker that does not read: bounds the bytes that wait for it. Its missed answers show the fault.
    if ((this.#process?.pendingBytes ?? 0) > this.limits.maxFrameBytes) return;
    const during_call = this.#state === 'busy' || undefined; // what is not written yet may count on what the worker keeps
    if (!during_call) this.#messages?.encoding.kept?.forget();
    this.#send({ type: 'ping', request_id: id, during_call });
  }

  #send(message: object): void {
    this.#process?.write(encodeFrame(message, this.limits.maxFrameBytes));
  }

  #setState(state: WorkerState): void {
    const previous = this.#state;
    if (previous === state) return;
    this.#state = state;
    this.emit('state', state, previous);
  }
}
