import { randomUUID } from 'node:crypto';
import os from 'node:os';
import { settleOrAbort } from '../abort.js';
import { isRecord } from '../arguments.js';
import { RunnerError } from '../errors.js';
import type { DescriptorChannel } from '../frames/descriptor-channel.js';
import { scratchFolders } from '../process/containment.js';
import { openChannel } from './call-pictures.js';
import { ForkedProcess, type Forked } from './forked-process.js';
import { encodeFrame, FrameDecoder } from './frame-codec.js';
import type { ProcessListeners } from './process-handle.js';
import type { ForkSource, WorkerLimits, WorkerSpec } from './types.js';
import { workerCommand } from './worker-command.js';
import { WorkerProcess } from './worker-process.js';

/** Messages of a server are short. */
const MAX_MESSAGE_BYTES = 65_536;
/** Of its log, for the error. */
const KEPT_LOG_BYTES = 4_096;

interface Waiting {
  listeners: ProcessListeners;
  standsBack: boolean;
  resolve: (process: ForkedProcess) => void;
  reject: (error: RunnerError) => void;
}

/**
 * The process that the workers of one version are forked from (Linux): it lives in the bounds of a worker, has imported
 * what the version imports, and has never constructed the algorithm (fork_server.py says why).
 */
export class ForkServer implements ForkSource {
  /** What it was started for. */
  readonly spec: WorkerSpec;
  /** Resolves when its process is gone, and with it all that it has forked. */
  readonly exited: Promise<void>;
  /** What speaks against forking from it; undefined where nothing does. */
  unfit: string | undefined;

  readonly #limits: WorkerLimits;
  readonly #decoder = new FrameDecoder(MAX_MESSAGE_BYTES);
  readonly #waiting = new Map<string, Waiting>();
  readonly #processes = new Map<string, ForkedProcess>();
  #process!: WorkerProcess;
  #channel: DescriptorChannel | undefined;
  #log = '';
  #retained = 0;
  #hasExited = false;
  #resolveExited!: () => void;
  #whenReady: { resolve: () => void; reject: (error: RunnerError) => void } | undefined;

  private constructor(spec: WorkerSpec, limits: WorkerLimits) {
    this.spec = spec;
    this.#limits = limits;
    this.exited = new Promise((resolve) => (this.#resolveExited = resolve));
  }

  /**
   * A server that has imported the version. It stands back behind working processes until then.
   *
   * @throws RunnerError `start_failed` when it cannot be started or ends before, `timeout` past `limits.loadMs`, `aborted`
   */
  static async start(spec: WorkerSpec, limits: WorkerLimits, signal?: AbortSignal): Promise<ForkServer> {
    const server = new ForkServer(spec, limits);
    await server.#start(signal);
    return server;
  }

  /** Workers that live, and others who need it. */
  get size(): number {
    return this.#processes.size + this.#waiting.size + this.#retained;
  }

  /** Somebody needs it, workers or not, until the answer is called. */
  retain(): () => void {
    this.#retained += 1;
    let isRetained = true;
    return () => {
      if (isRetained) this.#retained -= 1;
      isRetained = false;
    };
  }

  /** Its process id. */
  get processId(): number {
    return this.#process.pid;
  }

  get isGone(): boolean {
    return this.#hasExited;
  }

  /**
   * Forks a worker. `channel` is closed here as a spawn does it.
   *
   * A server that does not answer in `limits.helloMs` is ended: it does one thing at a time, and would never serve anybody.
   *
   * @throws RunnerError `start_failed` when the server is gone or the system does not let this process reach the worker
   */
  async fork(
    o: { channel?: DescriptorChannel; maxFrameBytes: number; standsBack?: boolean },
    listeners: ProcessListeners,
  ): Promise<ForkedProcess> {
    const token = randomUUID();
    const timer = setTimeout(() => {
      this.#process.signal('SIGKILL');
    }, this.#limits.helloMs);
    try {
      if (this.#hasExited) throw this.#gone();
      const { channel, maxFrameBytes, standsBack = false } = o;
      const isHanded = channel && this.#channel?.send({ token }, [channel.workerEnd]) === true;
      if (channel && !isHanded) throw this.#gone();
      const forked = new Promise<ForkedProcess>((resolve, reject) => {
        this.#waiting.set(token, { listeners, standsBack, resolve, reject });
      });
      this.#send({
        ...{ type: 'fork', token, max_frame_bytes: maxFrameBytes, channel: isHanded === true },
        folders: scratchFolders(this.spec.store?.versions),
      });
      return await forked;
    } finally {
      clearTimeout(timer);
      o.channel?.started();
    }
  }

  /** Ends it, with all that it has forked; resolves when it is gone. */
  async stop(): Promise<void> {
    if (!this.#hasExited) this.#process.signal('SIGKILL');
    await this.exited;
    await this.#process.whenTreeEnded();
  }

  async #start(signal: AbortSignal | undefined): Promise<void> {
    const { loadMs } = this.#limits;
    const channel = (this.#channel = await openChannel(this.spec));
    const order = workerCommand(this.spec, this.#limits, { hasChannel: channel !== undefined, serves: true });
    try {
      this.#process = await WorkerProcess.spawn(
        order,
        { cwd: this.spec.root, channel, standsBack: this.spec.resources?.nice === undefined },
        {
          stdout: (chunk) => {
            this.#read(chunk);
          },
          stderr: (chunk) => {
            this.#log = (this.#log + chunk.toString('utf8')).slice(-KEPT_LOG_BYTES);
          },
          exit: () => {
            this.#onExit();
          },
        },
      );
    } catch (error) {
      channel?.close();
      throw error;
    }
    const timer = setTimeout(() => {
      this.#whenReady?.reject(
        new RunnerError('timeout', `The fork server of ${this.#title} did not import it in ${loadMs} ms`, {
          details: { timeoutMs: loadMs },
        }),
      );
    }, loadMs);
    try {
      const ready = new Promise<void>((resolve, reject) => (this.#whenReady = { resolve, reject }));
      await settleOrAbort(signal, ready);
      this.#process.stepForward();
    } catch (error) {
      await this.stop();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  get #title(): string {
    return `${this.spec.name} ${this.spec.version}`;
  }

  #gone(): RunnerError {
    return this.#failure('has ended');
  }

  #notForked(): RunnerError {
    return this.#failure('could not fork a worker');
  }

  #failure(what: string): RunnerError {
    const said = this.#log.trim().split('\n').slice(-5).join('\n');
    return new RunnerError(
      'start_failed',
      `The fork server of ${this.#title} ${what}${said && `; it last said: ${said}`}`,
      { details: { output: said ? said.split('\n') : [] } },
    );
  }

  #read(chunk: Buffer): void {
    for (const item of this.#decoder.push(chunk)) {
      if (item.kind !== 'frame') continue; // the import may print
      const message = parsed(item.body);
      if (isRecord(message)) this.#take(message);
    }
  }

  #take(message: Record<string, unknown>): void {
    switch (message.type) {
      case 'launcher':
        this.#send({
          type: 'launcher',
          log_pipe: typeof message.log_pipe === 'number' && this.#process.openLog(message.log_pipe),
          max_frame_bytes: MAX_MESSAGE_BYTES,
        });
        return;
      case 'server':
        this.unfit = typeof message.unfit === 'string' ? message.unfit : undefined;
        this.#whenReady?.resolve();
        return;
      case 'forked':
        // The import of the package has run in that process: what it says is held against what it may say.
        if (isForked(message)) this.#onForked(message);
        return;
      case 'ended': {
        const { token } = message;
        if (typeof token !== 'string') return;
        const [code, signal] = [message.code, message.signal].map((one) => (isNumber(one) ? one : null));
        this.#waiting.get(token)?.reject(this.#notForked());
        this.#waiting.delete(token);
        const process = this.#processes.get(token);
        this.#processes.delete(token);
        process?.ended(code ?? null, signalName(signal ?? null));
      }
    }
  }

  #onForked(forked: Forked): void {
    const { token } = forked;
    const waiting = this.#waiting.get(token);
    this.#waiting.delete(token);
    if (!waiting) {
      this.#send({ type: 'signal', token, number: os.constants.signals.SIGUSR2 });
      this.#send({ type: 'opened', token });
      return;
    }
    try {
      const process = new ForkedProcess(
        forked,
        {
          server: this.#process.pid,
          standsBack: waiting.standsBack,
          signal: (of, number) => {
            this.#send({ type: 'signal', token: of, number });
          },
          endServer: () => {
            this.#process.signal('SIGKILL');
          },
        },
        waiting.listeners,
      );
      this.#processes.set(token, process);
      waiting.resolve(process);
    } catch (cause) {
      this.#send({ type: 'signal', token, number: os.constants.signals.SIGUSR2 });
      waiting.reject(
        new RunnerError(
          'start_failed',
          `A forked worker of ${this.#title} cannot be reached: ${(cause as Error).message}`,
          {
            cause,
          },
        ),
      );
    } finally {
      this.#send({ type: 'opened', token });
    }
  }

  #send(message: object): void {
    this.#process.write(encodeFrame(message, MAX_MESSAGE_BYTES));
  }

  #onExit(): void {
    this.#hasExited = true;
    this.#channel?.close();
    this.#whenReady?.reject(this.#gone());
    for (const { reject } of this.#waiting.values()) reject(this.#gone());
    this.#waiting.clear();
    for (const process of this.#processes.values()) process.ended(null, 'SIGKILL');
    this.#processes.clear();
    this.#resolveExited();
  }
}

/** Undefined for what is no JSON: the import may print. */
function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isForked(message: Record<string, unknown>): message is Record<string, unknown> & Forked {
  const { token, keeper, pipes } = message;
  if (typeof token !== 'string' || !isNumber(keeper) || !Array.isArray(pipes)) return false;
  return pipes.length === 4 && pipes.every(isNumber);
}

function signalName(number: number | null): NodeJS.Signals | null {
  if (number === null) return null;
  const found = Object.entries(os.constants.signals).find(([, value]) => value === number);
  return (found?.[0] ?? 'SIGKILL') as NodeJS.Signals;
}
