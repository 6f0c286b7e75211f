import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import os from 'node:os';
import {
  ASK_SIGNAL,
  KEEPER_GRACE_MS,
  KILL_SIGNAL,
  parseReport,
  type WorkerBounds,
} from '../process/containment.js';
import { LogPipe } from '../process/log-pipe.js';
import { standBack } from '../process/priority.js';
import { endInSteps, type ProcessHandle, type ProcessListeners } from './process-handle.js';
import { readInTurns } from './read-in-turns.js';
import { claimMemoryKill } from './worker-process.js';

/** After the process is gone, how long its last output is waited for: what it has started may hold the pipe open. */
const LAST_OUTPUT_MS = 30;

/** What a server tells of a process that it has forked: ids as they are in its own process namespace. */
export interface Forked {
  token: string;
  keeper: number;
  /** Descriptors of the server: where the worker's input is written, and where its output, log and report are read. */
  pipes: readonly [stdin: number, stdout: number, log: number, report: number];
}

/** What a process needs of its server. */
export interface ForkedContext {
  /** The server's process id, outside. */
  server: number;
  /** Has the keeper of the process signalled. */
  signal: (token: string, number: number) => void;
  /** Ends the server, with all that it has forked. */
  endServer: () => void;
  standsBack: boolean;
}

/** A worker that a fork server has forked, with its pipes and the keeper around it. */
export class ForkedProcess implements ProcessHandle {
  readonly reported: Promise<void>;
  readonly #forked: Forked;
  readonly #context: ForkedContext;
  readonly #listeners: ProcessListeners;
  readonly #stdin: Socket;
  readonly #stdout: LogPipe;
  readonly #log: LogPipe;
  readonly #exited: Promise<void>;
  #resolveExited!: () => void;
  #keeper: number;
  #worker: { pid: number; bounds: WorkerBounds } | undefined;
  #stepForward: (() => void) | undefined;
  #isKilled = false;
  #hasExited = false;

  /** @throws Error when the system does not let this process open the pipes */
  constructor(forked: Forked, context: ForkedContext, listeners: ProcessListeners) {
    const [stdin, stdout, log, report] = forked.pipes;
    const { server } = context;
    this.#forked = forked;
    this.#context = context;
    this.#listeners = listeners;
    this.#exited = new Promise((resolve) => (this.#resolveExited = resolve));
    const opened: { stream: Socket }[] = [];
    const read = (descriptor: number): LogPipe => {
      const pipe = LogPipe.open(server, descriptor);
      if (!pipe) throw new Error(`/proc/${server}/fd/${descriptor} cannot be opened`);
      opened.push(pipe);
      return pipe;
    };
    try {
      this.#stdout = read(stdout);
      this.#log = read(log);
      const reports = read(report);
      this.#stdin = writerOf(`/proc/${server}/fd/${stdin}`);
      this.#keeper = idOutside(server, forked.keeper) ?? forked.keeper;
      this.reported = this.#readReport(reports);
    } catch (error) {
      for (const { stream } of opened) stream.destroy();
      throw error;
    }
    readInTurns(this.#stdout.stream, listeners.stdout);
    readInTurns(this.#log.stream, listeners.stderr);
  }

  get pid(): number {
    return this.#worker?.pid ?? this.#keeper;
  }

  get bounds(): WorkerBounds | undefined {
    return this.#worker?.bounds;
  }

  get pendingBytes(): number {
    return this.#stdin.writableLength;
  }

  write(bytes: Buffer): void {
    if (this.#stdin.writable) this.#stdin.write(bytes);
  }

  /** It has its log from the start. */
  openLog(): boolean {
    return false;
  }

  stepForward(): void {
    this.#stepForward?.();
    this.#stepForward = undefined;
  }

  end(ask: (() => void) | undefined, pauseMs: number): Promise<void> {
    const closeInput = () => {
      this.#stdin.end();
    };
    const signal = (name: NodeJS.Signals) => {
      this.signal(name);
    };
    return endInSteps({ closeInput, signal, exited: this.#exited }, ask, pauseMs);
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#hasExited) return;
    const { token } = this.#forked;
    const numbers = os.constants.signals;
    if (signal !== 'SIGKILL') {
      this.#context.signal(token, numbers[signal === 'SIGTERM' ? ASK_SIGNAL : signal]);
      return;
    }
    this.#isKilled = true;
    this.#context.signal(token, numbers[KILL_SIGNAL]);
    const timer = setTimeout(() => {
      if (!this.#hasExited) this.#context.endServer(); // it does not answer: what it has forked ends with it
    }, KEEPER_GRACE_MS);
    void this.#exited.then(() => {
      clearTimeout(timer);
    });
  }

  /** Its keeper ends after everything else that is left of it. */
  whenTreeEnded(): Promise<void> {
    return Promise.resolve();
  }

  wasKilledForMemory(): boolean {
    return claimMemoryKill();
  }

  /** The server says so, or has ended itself. */
  ended(exitCode: number | null, exitSignal: NodeJS.Signals | null): void {
    if (this.#hasExited) return;
    this.#hasExited = true;
    const pipes = [this.#stdout, this.#log];
    let isDone = false;
    const done = () => {
      if (isDone) return;
      isDone = true;
      clearTimeout(timer);
      this.#stdout.drain(this.#listeners.stdout);
      this.#log.drain(this.#listeners.stderr);
      this.#stdin.destroy();
      this.#listeners.exit(exitCode, this.#meantBy(exitSignal));
      this.#resolveExited();
    };
    const timer = setTimeout(() => setImmediate(done), LAST_OUTPUT_MS);
    const open = pipes.filter(({ stream }) => !stream.closed);
    void Promise.all(open.map(({ stream }) => closed(stream))).then(done);
  }

  /** What the signal that the keeper died of stands for, before it kept anything. */
  #meantBy(signal: NodeJS.Signals | null): NodeJS.Signals | null {
    if (this.#isKilled && signal === KILL_SIGNAL) return 'SIGKILL';
    return signal === ASK_SIGNAL ? 'SIGTERM' : signal;
  }

  async #readReport({ stream }: LogPipe): Promise<void> {
    let text = '';
    stream.setEncoding('utf8');
    await new Promise<void>((resolve) => {
      stream.on('data', (chunk: string) => {
        text += chunk;
        if (text.endsWith('\n')) resolve();
      });
      stream.on('close', resolve);
    });
    const report = parseReport(text);
    if (!report) return;
    const pid = idOutside(this.#keeper, report.pid) ?? report.pid;
    this.#worker = { ...report, pid };
    if (this.#context.standsBack) this.#stepForward = standBack(pid);
  }
}

function closed(stream: Socket): Promise<void> {
  return new Promise((resolve) => {
    stream.once('close', () => {
      resolve();
    });
  });
}

/** @throws Error when the system does not let this process open it */
function writerOf(path: string): Socket {
  const descriptor = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  try {
    const socket = new Socket({ fd: descriptor, readable: false, writable: true });
    socket.on('error', () => undefined);
    return socket;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** The id out here of a child of `parent`, by the id that it has in its own process namespace (proc(5), NSpid). */
function idOutside(parent: number, inside: number): number | undefined {
  try {
    const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'latin1').trim().split(' ');
    return children.map(Number).find((pid) => idInside(pid) === inside);
  } catch {
    return undefined; // a kernel without that file
  }
}

function idInside(pid: number): number | undefined {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/^NSpid:.*?(\d+)$/m.exec(status)?.[1]);
}
