import { readdirSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import os from 'node:os';
import { ASK_SIGNAL, KILL_SIGNAL, type WorkerBounds } from '../process/containment.js';
import { childIds } from '../process/child-ids.js';
import { ChildPipe } from '../process/child-pipe.js';
import { writeToPipe } from '../process/pipe-write.js';
import { standBack, standBackSession } from '../process/priority.js';
import { closing, ProcessEnd, readReport } from './process-end.js';
import type { ProcessHandle, ProcessListeners } from './process-handle.js';
import { readInTurns } from './read-in-turns.js';
import { claimMemoryKill } from './worker-process.js';

/** Longer than a keeper takes to end what its worker has left (END_SECONDS of keep.py): then its server ends, with its siblings. */
const KEEPER_PATIENCE_MS = 5_000;

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
  readonly #stdout: ChildPipe;
  readonly #log: ChildPipe;
  readonly #end: ProcessEnd;
  #keeper: number;
  #worker: { pid: number; bounds: WorkerBounds } | undefined;
  #stepsForward: ((() => void) | undefined)[] = [];

  /** @throws Error when the system does not let this process open the pipes */
  constructor(forked: Forked, context: ForkedContext, listeners: ProcessListeners) {
    const [stdin, stdout, log, report] = forked.pipes;
    const { server } = context;
    this.#forked = forked;
    this.#context = context;
    this.#listeners = listeners;
    this.#end = new ProcessEnd(listeners, true);
    const keeper = idOutside(server, forked.keeper);
    if (keeper === undefined) throw new Error(`/proc does not tell which process ${forked.keeper} is here`);
    this.#keeper = keeper;
    const opened: ChildPipe[] = [];
    const open = (descriptor: number, mode: 'read' | 'write' = 'read'): ChildPipe => {
      const pipe = ChildPipe.open(server, descriptor, mode);
      if (!pipe) throw new Error(`/proc/${server}/fd/${descriptor} cannot be opened`);
      opened.push(pipe);
      return pipe;
    };
    try {
      this.#stdout = open(stdout);
      this.#log = open(log);
      this.reported = this.#readReport(open(report));
      this.#stdin = open(stdin, 'write').stream;
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
    writeToPipe(this.#stdin, bytes);
  }

  /** It has its log from the start. */
  launched(): boolean {
    return false;
  }

  stepForward(): void {
    for (const step of this.#stepsForward.splice(0)) step?.();
  }

  end(ask: (() => void) | undefined, pauseMs: number): Promise<void> {
    const closeInput = () => {
      this.#stdin.end();
    };
    const signal = (name: NodeJS.Signals) => {
      this.signal(name);
    };
    return this.#end.inSteps({ closeInput, signal }, ask, pauseMs);
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#end.hasExited) return;
    const ask = (name: NodeJS.Signals) => {
      this.#context.signal(this.#forked.token, os.constants.signals[name]);
    };
    if (signal !== 'SIGKILL') {
      ask(signal === 'SIGTERM' ? ASK_SIGNAL : signal);
      return;
    }
    this.#end.kill(
      () => {
        ask(KILL_SIGNAL);
      },
      this.#context.endServer,
      KEEPER_PATIENCE_MS,
    );
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
    const outputs = [this.#stdout.stream, this.#log.stream];
    this.#end.finish(exitCode, exitSignal, {
      closed: Promise.all(outputs.map(closing)),
      close: () => {
        this.#stdout.drain(this.#listeners.stdout);
        this.#log.drain(this.#listeners.stderr);
        this.#stdin.destroy();
      },
    });
  }

  async #readReport({ stream }: ChildPipe): Promise<void> {
    const report = await readReport(stream);
    if (!report) return;
    const pid = idOutside(this.#keeper, report.pid);
    this.#worker = { ...report, pid: pid ?? this.#keeper };
    if (this.#context.standsBack && pid !== undefined) {
      this.#stepsForward = [standBack(pid), standBackSession(pid)];
    }
  }
}

/**
 * The id out here of a child of `parent`, by the id that it has in its own process namespace (proc(5), NSpid); undefined where
 * the system does not tell. No other is guessed: it would be somebody else's.
 */
export function idOutside(parent: number, inside: number): number | undefined {
  const isIt = (pid: number) => idInside(pid) === inside;
  // The list of children may be without it.
  return childIds(parent).find(isIt) ?? everyProcess().find((pid) => parentOf(pid) === parent && isIt(pid));
}

function everyProcess(): number[] {
  try {
    return readdirSync('/proc').map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}

function idInside(pid: number): number | undefined {
  return inStatus(pid, /^NSpid:.*?(\d+)$/m);
}

function parentOf(pid: number): number | undefined {
  return inStatus(pid, /^PPid:\s*(\d+)$/m);
}

/** Undefined for a process that has ended. */
function inStatus(pid: number, line: RegExp): number | undefined {
  try {
    const found = line.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return found === undefined ? undefined : Number(found);
  } catch {
    return undefined;
  }
}
