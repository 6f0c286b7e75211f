import {
  ASK_SIGNAL,
  KEEPER_GRACE_MS,
  KILL_SIGNAL,
  parseReport,
  type WorkerReport,
} from '../process/containment.js';
import type { ProcessListeners } from './process-handle.js';

/** After the process is gone, how long its last output is waited for: what it has started may hold the pipe open. */
const LAST_OUTPUT_MS = 30;

/** The end of a worker's process, from the first request to its last output. */
export class ProcessEnd {
  /** Resolves after the last output. */
  readonly exited: Promise<void>;
  readonly #listeners: ProcessListeners;
  /** Whether a keeper stands around the process: it ends in the same way, and by the signals that it is asked with. */
  readonly #isKept: boolean;
  #isKilled = false;
  #hasExited = false;
  #resolveExited!: () => void;

  constructor(listeners: ProcessListeners, isKept: boolean) {
    this.#listeners = listeners;
    this.#isKept = isKept;
    this.exited = new Promise((resolve) => (this.#resolveExited = resolve));
  }

  /** Whether the process is gone; its last output may be on its way. */
  get hasExited(): boolean {
    return this.#hasExited;
  }

  /** See `ProcessHandle.end`. */
  async inSteps(
    process: { closeInput: () => void; signal: (signal: NodeJS.Signals) => void },
    ask: (() => void) | undefined,
    pauseMs: number,
  ): Promise<void> {
    const polite = [ask, process.closeInput];
    const forceful = (['SIGTERM', 'SIGKILL'] as const).map((signal) => () => {
      process.signal(signal);
    });
    // A worker that does not read yet cannot be asked to stop: asking would only cost time.
    for (const step of ask ? [...polite, ...forceful] : forceful) {
      step?.();
      if (await this.#exitsWithin(pauseMs)) return;
    }
  }

  /** Asks for the end of everything; `force` ends it where nobody has obeyed in time. */
  kill(ask: () => void, force: () => void, graceMs = KEEPER_GRACE_MS): void {
    this.#isKilled = true;
    ask();
    const timer = setTimeout(() => {
      if (!this.#hasExited) force();
    }, graceMs);
    void this.exited.then(() => {
      clearTimeout(timer);
    });
  }

  /** The process has ended, once: tells so when `closed` says that all it has written was read, or there was time for it. */
  finish(
    exitCode: number | null,
    exitSignal: NodeJS.Signals | null,
    { closed, close }: { closed: Promise<unknown>; close: () => void },
  ): void {
    if (this.#hasExited) return;
    this.#hasExited = true;
    let isDone = false;
    const done = () => {
      if (isDone) return;
      isDone = true;
      clearTimeout(timer);
      close();
      this.#listeners.exit(exitCode, this.#actualSignal(exitSignal));
      this.#resolveExited();
    };
    // On a host that was held up the time may be over before its loop has looked at the pipes once: look, then end.
    const timer = setTimeout(() => setImmediate(done), LAST_OUTPUT_MS);
    void closed.then(done);
  }

  /** What the signal that the keeper died of stands for, before it kept anything. */
  #actualSignal(signal: NodeJS.Signals | null): NodeJS.Signals | null {
    if (this.#isKilled && signal === KILL_SIGNAL) return 'SIGKILL';
    return this.#isKept && signal === ASK_SIGNAL ? 'SIGTERM' : signal;
  }

  #exitsWithin(limitMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        resolve(false);
      }, limitMs);
      void this.exited.then(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }
}

/** The line of a keeper's report; undefined where it ends without. */
export async function readReport(stream: NodeJS.ReadableStream): Promise<WorkerReport | undefined> {
  let text = '';
  stream.setEncoding('utf8');
  await new Promise<void>((resolve) => {
    const end = () => {
      resolve();
    };
    stream.on('data', (chunk: string) => {
      text += chunk;
      if (text.endsWith('\n')) end();
    });
    stream.on('end', end).on('error', end).on('close', end);
  });
  return parseReport(text);
}

/** Resolves when the stream is closed. */
export function closing(stream: NodeJS.EventEmitter & { closed: boolean }): Promise<void> {
  if (stream.closed) return Promise.resolve();
  return new Promise((resolve) => {
    stream.once('close', () => {
      resolve();
    });
  });
}
