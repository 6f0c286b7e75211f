import { fork, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { leaveEmptied, removeLeft } from './aside.js';
import { Unavailable } from './case.js';
import { removeShared } from './shared-names.js';
import type { CaseArguments, Order, Reply } from './messages.js';

/** How much of what a case printed is kept for its error. */
const KEPT_OUTPUT = 4_000;
/** Loads TypeScript in a process whose parent does not. */
const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
const living = new Set<CaseProcess>();
let isClosed = false;

/**
 * The process of one case with one build. It leads a process group of its own and has a temp folder of its own, so that
 * nothing is left of it, however it ends.
 */
export class CaseProcess {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #timer: NodeJS.Timeout;
  #output = '';
  #over: string | undefined;
  #answer: ((reply: Reply) => void) | undefined;

  private constructor(
    args: Omit<CaseArguments, 'folder'>,
    folder: string,
    readonly limitSeconds: number,
  ) {
    this.#folder = folder;
    const file = fileURLToPath(new URL('./child.ts', import.meta.url));
    this.#child = fork(file, [JSON.stringify({ ...args, folder } satisfies CaseArguments)], {
      execArgv: ['--import', TSX],
      serialization: 'advanced', // JSON would make null of a NaN
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, TMPDIR: folder, TEMP: folder, TMP: folder },
      detached: process.platform !== 'win32', // leads a group of its own
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-KEPT_OUTPUT);
      });
    }
    this.#child.on('message', (reply: Reply) => {
      this.#answer?.(reply);
    });
    this.#child.once('error', (error) => this.#end(error.message));
    this.#child.once('exit', (code, signal) => this.#end(`its process ended with ${signal ?? String(code)}`));
    this.#timer = setTimeout(() => {
      this.#end(`not done within its limit of ${limitSeconds} s`);
      this.kill();
    }, limitSeconds * 1_000);
    living.add(this);
  }

  static async start(args: Omit<CaseArguments, 'folder'>, limitSeconds: number): Promise<CaseProcess> {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'procvision-bench-'));
    if (isClosed) {
      await rm(folder, { recursive: true, force: true });
      throw new Error('the run was interrupted');
    }
    return new CaseProcess(args, folder, limitSeconds);
  }

  /** Whether it can be given no more orders. */
  get isOver(): boolean {
    return this.#over !== undefined;
  }

  /** Carries out one order. Rejects with {@link Unavailable}, or with what the case threw. */
  async order(order: Order): Promise<Extract<Reply, { ok: true }>> {
    const reply = await new Promise<Reply>((resolve) => {
      this.#answer = resolve;
      if (this.#over !== undefined) this.#end(this.#over);
      else this.#child.send(order);
    });
    if (reply.ok) return reply;
    if (reply.unavailable !== undefined) throw new Unavailable(reply.unavailable);
    throw new Error(reply.error);
  }

  kill(): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
    } catch {
      // nothing of the group is left
    }
  }

  /** Ends the process and all of its group, and empties its folder, which is removed when the run is over. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    const exited = new Promise((resolve) => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) resolve(undefined);
      else this.#child.once('exit', resolve);
    });
    this.#over ??= 'closed';
    this.kill();
    await exited;
    living.delete(this);
    await leaveEmptied(this.#folder);
    await removeShared(this.#folder);
  }

  #end(why: string): void {
    this.#over ??= why;
    const said = this.#output.trim();
    this.#answer?.({ ok: false, error: said === '' ? this.#over : `${this.#over}; it printed:\n${said}` });
  }
}

/** Ends every case that runs now, and lets no other start: for a run that is interrupted. */
export async function closeAll(): Promise<void> {
  isClosed = true;
  await Promise.all([...living].map((one) => one.close()));
  await removeLeft();
}
