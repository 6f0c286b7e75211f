import type { ChildProcess } from 'node:child_process';
import { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { abortError, listenForAbort, throwIfAborted, type OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import { KEEPER_GRACE_MS, KILL_SIGNAL } from './containment.js';
import { ChildPipe } from './child-pipe.js';
import { spawner } from './spawn.js';
import { signalRemains, signalTree } from './tree.js';

/** How to run a subprocess to its end. */
export interface RunOptions extends OperationOptions {
  cwd?: string;
  /** The whole environment of the subprocess; nothing is inherited. */
  env: NodeJS.ProcessEnv;
  timeoutMs: number;
  /** Bytes of each stream that are kept; the head is dropped. @defaultValue 1 MiB */
  maxOutputBytes?: number;
  /** Written to stdin, which is then closed; pieces are asked for as the subprocess takes them. */
  input?: string | Iterable<string> | AsyncIterable<string>;
  onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  /** Whether the command begins by offering a pipe for its log (log_pipe.py), whose text is `stderr` then. @defaultValue false */
  offersLogPipe?: boolean;
  /** Whether the command keeps what it runs in bounds (contain.py), and has to be asked for the end. */
  isKept?: boolean;
}

/** How a subprocess ended. */
export interface RunResult {
  exitCode: number | null;
  exitSignal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  durationMs: number;
}

/** Time to read what a subprocess wrote before it ended. */
const DRAIN_MS = 2_000;

/**
 * Runs a command in a process group of its own and waits for its end, whatever its exit code.
 * On a timeout or an abort the whole tree is killed.
 *
 * @throws RunnerError `timeout`, `aborted`, or `start_failed` when the command cannot be started.
 */
export async function run(command: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  const { signal, timeoutMs, maxOutputBytes = 1 << 20 } = options;
  const spawn = await spawner(command);
  throwIfAborted(signal, `run of ${command}`);
  const startedAt = performance.now();
  const child: ChildProcess = spawn(command, [...args], {
    cwd: options.cwd,
    env: options.env,
    stdio: [options.input === undefined && !options.offersLogPipe ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
    windowsHide: true,
  });
  const stdout = new Output(maxOutputBytes, (line) => options.onLine?.(line, 'stdout'));
  const stderr = new Output(maxOutputBytes, (line) => options.onLine?.(line, 'stderr'));
  let log: ChildPipe | undefined;
  child.stdin?.on('error', () => undefined); // the exit code says more than EPIPE
  if (options.offersLogPipe) {
    child.stdout?.once('data', (offer: Buffer) => {
      log = ChildPipe.open(child.pid, Number.parseInt(offer.toString(), 10));
      log?.stream.on('data', stderr.take);
      child.stdin?.end(log ? '1' : '0');
    });
  }
  child.stdout?.on('data', stdout.take);
  child.stderr?.on('data', stderr.take);
  if (options.input !== undefined) {
    if (child.stdin) {
      const { input } = options;
      Readable.from(typeof input === 'string' ? [input] : input, { objectMode: false }).pipe(child.stdin);
    }
  }
  let stopped: RunnerError | undefined;
  const killTree = () => {
    // Once it has ended its id may be another's: what it has left was ended then, and its pipes are closed in a moment.
    if (child.exitCode !== null || child.signalCode !== null) return;
    if (child.pid !== undefined) signalTree(child.pid, 'SIGKILL', { endAlone: () => child.kill('SIGKILL') });
  };
  let grace: NodeJS.Timeout | undefined;
  const stop = (reason: RunnerError) => {
    stopped ??= reason;
    if (!options.isKept) {
      killTree();
      return;
    }
    child.kill(KILL_SIGNAL); // it buries what it kept
    grace ??= setTimeout(killTree, KEEPER_GRACE_MS);
  };
  const timer = setTimeout(() => {
    stop(
      new RunnerError('timeout', `${command} did not end within ${timeoutMs} ms and was killed`, {
        details: { timeoutMs, output: stderr.text.split('\n').slice(-20) },
      }),
    );
  }, timeoutMs);
  const onAbort = () => {
    if (signal) stop(abortError(signal, `run of ${command}`));
  };
  if (signal) listenForAbort(signal, onAbort);
  let drain: NodeJS.Timeout | undefined;
  try {
    const [exitCode, exitSignal] = await new Promise<[number | null, NodeJS.Signals | null]>(
      (resolve, reject) => {
        child.once('error', reject);
        child.once('exit', () => {
          // A grandchild that keeps the pipes open would delay 'close' without limit.
          if (child.pid !== undefined) signalRemains(child.pid);
          // One in a session of its own still does.
          drain = setTimeout(() => {
            child.stdout?.destroy();
            child.stderr?.destroy();
          }, DRAIN_MS);
        });
        child.once('close', (code, exitedBy) => {
          log?.drain(stderr.take);
          stdout.end();
          stderr.end();
          resolve([code, exitedBy]);
        });
      },
    ).catch((cause: unknown) => {
      throw new RunnerError('start_failed', `${command} cannot be started: ${(cause as Error).message}`, {
        cause,
        details: { path: command },
      });
    });
    if (stopped) throw stopped as Error;
    return {
      exitCode,
      exitSignal,
      stdout: stdout.text,
      stderr: stderr.text,
      durationMs: performance.now() - startedAt,
    };
  } finally {
    clearTimeout(timer);
    clearTimeout(grace);
    clearTimeout(drain);
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Keeps the end of what streams bring, and tells it line by line. */
class Output {
  readonly #maxBytes: number;
  readonly #onLine: (line: string) => void;
  readonly #decoder = new StringDecoder('utf8');
  #partial = '';
  text = '';

  constructor(maxBytes: number, onLine: (line: string) => void) {
    this.#maxBytes = maxBytes;
    this.#onLine = onLine;
  }

  readonly take = (chunk: Buffer): void => {
    const text = this.#decoder.write(chunk);
    this.text = (this.text + text).slice(-this.#maxBytes);
    const lines = (this.#partial + text).split(/\r\n|\r|\n/);
    this.#partial = (lines.pop() ?? '').slice(-this.#maxBytes);
    lines.forEach(this.#onLine);
  };

  end(): void {
    if (this.#partial) this.#onLine(this.#partial);
    this.#partial = '';
  }
}
