import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { bareEnvironment } from '../support/pythons.js';

/** Folder of the comparators' Python files. */
export const PYTHON_FILES = fileURLToPath(new URL('./python/', import.meta.url));

/** A Python process of a comparator. What it starts ends with the case, whose process group it is in. */
export class PeerProcess {
  readonly child: ChildProcess;
  readonly #exited: Promise<string>;
  #said = '';

  constructor(python: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(python, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      cwd: PYTHON_FILES,
      env: bareEnvironment({ PYTHONPATH: PYTHON_FILES, PYTHONDONTWRITEBYTECODE: '1', ...env }),
    });
    this.child.stdin?.on('error', () => undefined); // its end is seen by its exit
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-2_000);
    });
    this.#exited = new Promise((resolve) => {
      this.child.once('exit', (code, signal) => resolve(signal ?? String(code)));
      this.child.once('error', (error) => resolve(error.message));
    });
  }

  /** Rejects when the process ends. */
  async failure(): Promise<never> {
    throw new Error(`its process ended with ${await this.#exited}; it printed:\n${this.#said}`);
  }

  /** Lines of its stdout, to the function that is set when they come. */
  lines(onLine: (line: string) => void): void {
    if (this.child.stdout) createInterface({ input: this.child.stdout }).on('line', onLine);
  }

  async close(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.child.kill(signal);
    await this.#exited;
  }

  /** Lets it end by itself, as it does when its stdin ends, so that it takes its own files away; kills it after a while. */
  async leave(limitMs = 20_000): Promise<void> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), limitMs);
    this.child.stdin?.end();
    await this.#exited;
    clearTimeout(timer);
  }
}

/** A process that answers each request with one line. One request at a time. */
export class LineWorker {
  readonly process: PeerProcess;
  #answer: ((line: string) => void) | undefined;

  constructor(python: string, args: readonly string[]) {
    this.process = new PeerProcess(python, args);
    this.process.lines((line) => this.#answer?.(line));
  }

  async ask(write: (stdin: NonNullable<ChildProcess['stdin']>) => void): Promise<number> {
    const answer = new Promise<string>((resolve) => (this.#answer = resolve));
    if (this.process.child.stdin) write(this.process.child.stdin);
    const line = await Promise.race([answer, this.process.failure()]);
    return (JSON.parse(line) as { mean: number }).mean;
  }
}
