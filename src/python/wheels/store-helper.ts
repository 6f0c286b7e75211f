import { listenForAbort, throwIfAborted, type OperationOptions } from '../../abort.js';
import { assetPath } from '../../assets.js';
import { RunnerError } from '../../errors.js';
import { pythonEnvironment } from '../../process/environment.js';
import { run, type RunResult } from '../../process/run.js';
import { fullDiskRemedy } from '../../store/space.js';
import { installRefused } from '../../store/store-error.js';

/** What is wrong with a wheel, as the helper says it. */
export interface WheelFault {
  text: string;
  /** File of the wheel, where it is about one. */
  entry: string | undefined;
}

interface Answer<T> {
  done?: number;
  ok?: T;
  fault?: string;
  entry?: string | null;
  error?: { code: string; message: string; path: string | null };
}

/** How {@link StoreHelper.ask} hands over its work. */
interface AskOptions extends OperationOptions {
  /** What follows the request, one JSON value a line. */
  lines?: Iterable<unknown>;
  /** Turns what is wrong with the wheel into an error. */
  onFault: (fault: WheelFault) => RunnerError;
  onProgress?: (done: number) => void;
}

/** A request that is being worked on. */
interface Asked {
  request: object;
  lines: Iterable<unknown>;
  onProgress: ((done: number) => void) | undefined;
  answer: (answer: Answer<unknown>) => void;
}

/**
 * A Python process that does what goes through every file of a wheel. Done in this process it would take its memory (a
 * hundred MB for what inflating leaves to be collected), its event loop and its threads, while it inspects images; and
 * it would take three times as long, since one thread of JavaScript would have to lead every byte by the hand.
 *
 * It is started by the first request and serves one after the other until it is closed: to start a process takes as long
 * as to unpack a small wheel.
 */
export class StoreHelper implements AsyncDisposable {
  readonly #python: string;
  readonly #timeoutMs: number;
  readonly #ending = new AbortController();
  #process: Promise<RunResult> | undefined;
  #asked: Asked | undefined;
  #isClosed = false;
  #wake: () => void = () => undefined;

  /** `python`: 3.8 or later, that of the environment that is being made. */
  constructor({ python, timeoutMs }: { python: string; timeoutMs: number }) {
    this.#python = python;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * @throws RunnerError what `onFault` gives; `store_failed` with the system's error as its cause (`install_failed` where it
   * is about a name), `timeout`, `aborted`. Nothing can be asked any more after `timeout` and `aborted`
   */
  async ask<T>(request: object, { lines = [], onFault, onProgress, signal }: AskOptions): Promise<T> {
    throwIfAborted(signal, 'work on the wheel store');
    const end = () => {
      this.#ending.abort(signal?.reason);
    };
    if (signal) listenForAbort(signal, end);
    try {
      const answered = new Promise<Answer<unknown>>((answer) => {
        this.#asked = { request, lines, onProgress, answer };
      });
      this.#process ??= this.#start();
      this.#wake();
      const answer = (await Promise.race([answered, this.#process])) as Answer<T> | RunResult;
      if ('exitCode' in answer) throw this.#ended(answer);
      if (answer.fault !== undefined) throw onFault({ text: answer.fault, entry: answer.entry ?? undefined });
      if (answer.error) throw systemError(answer.error);
      return answer.ok as T;
    } finally {
      signal?.removeEventListener('abort', end);
      this.#asked = undefined;
    }
  }

  /** Starts the process ahead of the request to link: it is there by then, with what it needs loaded. */
  begin(): void {
    this.#process ??= this.#start(['link']);
  }

  /** Waits for its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#wake();
    await this.#process?.catch(() => undefined); // ask() has told it
  }

  #start(ahead: readonly string[] = []): Promise<RunResult> {
    const script = assetPath('python/wheels/store_helper.py');
    // Without site: nothing that the interpreter's packages hook into its start is wanted here.
    const process = run(this.#python, ['-I', '-S', '-B', '-X', 'utf8', script, ...ahead], {
      env: pythonEnvironment(),
      timeoutMs: this.#timeoutMs,
      signal: this.#ending.signal,
      input: this.#requests(),
      onLine: (line, stream) => {
        if (stream === 'stderr' || line === '') return;
        const reply = JSON.parse(line) as Answer<unknown>;
        if (reply.done === undefined) this.#asked?.answer(reply);
        else this.#asked?.onProgress?.(reply.done);
      },
    });
    process.catch(() => undefined); // reported by ask()
    return process;
  }

  /** Each request with its lines, as the process takes them. */
  async *#requests(): AsyncGenerator<string, void, undefined> {
    let last: Asked | undefined;
    while (!this.#isClosed) {
      const asked = this.#asked;
      if (asked && asked !== last) {
        last = asked;
        yield `${JSON.stringify(asked.request)}\n`;
        for (const line of asked.lines) yield `${JSON.stringify(line)}\n`;
        yield 'null\n';
      } else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #ended({ stderr, exitCode, exitSignal }: RunResult): RunnerError {
    const said = stderr.trim().split('\n');
    return new RunnerError(
      'install_failed',
      `${this.#python} could not work on the wheel store (exit ${exitCode ?? exitSignal ?? ''}): ${said.at(-1) ?? ''}`,
      { details: { path: this.#python, output: said.slice(-20), exitCode } },
    );
  }
}

/** The system's code of an error that the helper met; undefined for any other error. */
export function helperErrno(error: unknown): string | undefined {
  return RunnerError.is(error, 'store_failed') || RunnerError.is(error, 'install_failed')
    ? (error.cause as NodeJS.ErrnoException | undefined)?.code
    : undefined;
}

/** As if this process had met it. */
function systemError({ code, message, path }: NonNullable<Answer<unknown>['error']>): RunnerError {
  const text = `${code}: ${message}${path === null ? '' : `, '${path}'`}`;
  const cause: NodeJS.ErrnoException = Object.assign(new Error(text), { code, path: path ?? undefined });
  const remedy =
    fullDiskRemedy(cause, 'free some space, for example with prune()') || longPathRemedy(code, path ?? '');
  return installRefused(cause, `The wheel store cannot be worked on: ${text}${remedy}`, {
    path: path ?? undefined,
  });
}

/**
 * To a Python without the right to long paths a file with such a path is not there, nor its folder. MAX_PATH counts 260, with the
 * NUL.
 */
export function longPathRemedy(code: string, file: string, platform = process.platform): string {
  if (platform !== 'win32' || code !== 'ENOENT' || file.length < 260) return '';
  return `; the path has ${file.length} characters: set LongPathsEnabled to 1 for more than 259`;
}
