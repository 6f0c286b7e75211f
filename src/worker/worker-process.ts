import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, stat } from 'node:fs/promises';
import { RunnerError } from '../errors.js';
import type { DescriptorChannel } from '../frames/descriptor-channel.js';
import {
  ASK_SIGNAL,
  KILL_SIGNAL,
  REPORT_DESCRIPTOR,
  type WorkerBounds,
  type WorkerReport,
} from '../process/containment.js';
import { ChildPipe } from '../process/child-pipe.js';
import { writeToPipe } from '../process/pipe-write.js';
import { MemoryKills } from '../process/memory-kills.js';
import { standBack, standBackSession } from '../process/priority.js';
import { spawner } from '../process/spawn.js';
import { signalRemains, signalTree } from '../process/tree.js';
import { closing, ProcessEnd, readReport } from './process-end.js';
import type { ProcessHandle, ProcessListeners } from './process-handle.js';
import { readInTurns } from './read-in-turns.js';
import { TOKEN_VARIABLE, type WorkerCommand } from './worker-command.js';

let memoryKills: MemoryKills | undefined;

/** See {@link ProcessHandle.wasKilledForMemory}. */
export function claimMemoryKill(): boolean {
  return memoryKills?.claim() === true;
}

/** The process of a worker, in a group of its own, with its pipes; on POSIX with its keeper around it. */
export class WorkerProcess implements ProcessHandle {
  /** Resolves when the keeper has reported, or ended without; at once where there is none. */
  readonly reported: Promise<void>;
  /** The keeper's process, where there is one. */
  readonly #child: ChildProcess;
  readonly #token: string;
  readonly #isKept: boolean;
  readonly #end: ProcessEnd;
  readonly #listeners: ProcessListeners;
  /** The pipe that 1 and 2 of the worker lead to, where the launcher made one; its stderr is silent then. */
  #log: ChildPipe | undefined;
  #report: WorkerReport | undefined;
  readonly #stepsForward: ((() => void) | undefined)[] = [];
  /** Ends of searches for what the process has left behind. */
  #sweeps: Promise<unknown> = Promise.resolve();

  private constructor(
    child: ChildProcess,
    { token, isKept }: WorkerCommand,
    standsBack: boolean,
    listeners: ProcessListeners,
  ) {
    this.#child = child;
    this.#listeners = listeners;
    this.#token = token;
    this.#isKept = isKept;
    this.#end = new ProcessEnd(listeners, isKept);
    if (standsBack && child.pid !== undefined) this.#stepsForward.push(standBack(child.pid));
    this.reported = isKept ? this.#readReport(standsBack) : Promise.resolve();
  }

  /** Starts the process. @throws RunnerError `start_failed` when the command cannot be run */
  static async spawn(
    order: WorkerCommand,
    {
      channel,
      standsBack = false,
      ...options
    }: { cwd: string; channel?: DescriptorChannel; standsBack?: boolean },
    listeners: ProcessListeners,
  ): Promise<WorkerProcess> {
    const { command, args, env, isKept } = order;
    const spawn = await spawner(command);
    memoryKills ??= new MemoryKills();
    let child: ChildProcess;
    try {
      child = spawn(command, args, {
        ...options,
        ...order.user,
        env,
        // The numbers after stderr: the keeper's report, then the pictures.
        stdio: [
          ...(['pipe', 'pipe', 'pipe'] as const),
          ...(isKept ? (['pipe'] as const) : []),
          ...(channel ? [channel.workerEnd] : []),
        ],
        detached: process.platform !== 'win32',
        windowsHide: true,
      });
      await once(child, 'spawn'); // rejects with what the child's 'error' says
    } catch (cause) {
      // Node throws some of the system's refusals (no memory, no right to be that user) and emits the others.
      throw new RunnerError(
        'start_failed',
        `${command} cannot be started: ${(cause as Error).message}. ${await whyNot(options.cwd)}`,
        { cause, details: { path: command } },
      );
    } finally {
      channel?.started();
    }
    const worker = new WorkerProcess(child, order, standsBack, listeners);
    worker.#listen();
    return worker;
  }

  /** Of the worker itself, once that is reported; before, of its keeper, or of what starts its interpreter (Windows). */
  get pid(): number {
    return this.#report?.pid ?? this.#child.pid ?? -1;
  }

  /** What holds the worker; undefined before that is reported. */
  get bounds(): WorkerBounds | undefined {
    return this.#report?.bounds;
  }

  /** Whether the kernel has killed a process of this cgroup for want of memory, and no other one has said that it was that. */
  wasKilledForMemory(): boolean {
    return claimMemoryKill();
  }

  /** Bytes that wait for the process to read them. */
  get pendingBytes(): number {
    return this.#child.stdin?.writableLength ?? 0;
  }

  /** Hands bytes over without waiting; a pipe that is broken shows as the exit that follows. */
  write(bytes: Buffer): void {
    writeToPipe(this.#child.stdin, bytes);
  }

  /** See {@link ProcessHandle.launched}. A keeper's word stands. */
  launched({ logPipe, report }: { logPipe: number | undefined; report: WorkerReport | undefined }): boolean {
    if (!this.#isKept) this.#report ??= report;
    return logPipe !== undefined && this.openLog(logPipe);
  }

  /** Reads a pipe of the child from now on as its stderr. False where that cannot be. */
  openLog(descriptor: number): boolean {
    this.#log ??= ChildPipe.open(this.#child.pid, descriptor);
    if (!this.#log) return false;
    readInTurns(this.#log.stream, this.#listeners.stderr);
    return true;
  }

  /** It is ready: from now on it has the priority of its host, if it stood back while it started. */
  stepForward(): void {
    for (const step of this.#stepsForward.splice(0)) step?.();
  }

  /** See {@link ProcessHandle.end}. */
  end(ask: (() => void) | undefined, pauseMs: number): Promise<void> {
    const closeInput = () => {
      this.#child.stdin?.end();
    };
    const signal = (name: NodeJS.Signals) => {
      this.signal(name);
    };
    return this.#end.inSteps({ closeInput, signal }, ask, pauseMs);
  }

  /** Signals the process and its group; SIGKILL also reaches children that made a group of their own (Linux). */
  signal(signal: NodeJS.Signals): void {
    if (this.#end.hasExited) return;
    if (signal === 'SIGKILL') {
      this.#kill();
    } else if (this.#isKept) {
      this.#child.kill(signal === 'SIGTERM' ? ASK_SIGNAL : signal); // the keeper passes it on
    } else if (this.#isInJob) {
      this.#child.kill(signal);
    } else {
      this.#signalTree(signal);
    }
  }

  /** Whether the system ends with the process what that has started (Windows). */
  get #isInJob(): boolean {
    return !this.#isKept && this.#report?.bounds.processes === true;
  }

  #signalTree(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid !== undefined) signalTree(pid, signal, { endAlone: () => this.#child.kill('SIGKILL') });
  }

  /** A keeper kills and buries what it keeps, and leaves no zombie to a host that is the first process of a container. */
  #kill(): void {
    const force = () => {
      this.#killTree();
    };
    this.#end.kill(this.#isKept ? () => this.#child.kill(KILL_SIGNAL) : force, force);
  }

  #killTree(): void {
    if (this.#isInJob) this.#child.kill('SIGKILL');
    else this.#signalTree('SIGKILL');
    this.#sweep();
  }

  async #readReport(standsBack: boolean): Promise<void> {
    const stream = this.#child.stdio[REPORT_DESCRIPTOR] as NodeJS.ReadableStream | null | undefined;
    if (!stream) return;
    this.#report = await readReport(stream);
    // Its bounds are in force, and its session is its own: what it loads comes now.
    if (standsBack && this.#report) this.#stepsForward.push(standBackSession(this.#report.pid));
  }

  /** Resolves when what the process had started was looked for and killed. After its exit, nothing more comes. */
  async whenTreeEnded(): Promise<void> {
    await this.#sweeps;
  }

  #sweep(): void {
    this.#sweeps = Promise.all([this.#sweeps, killCarriers(this.#token)]);
  }

  #listen(): void {
    const child = this.#child;
    const listeners = this.#listeners;
    child.stdin?.on('error', () => undefined);
    child.on('error', () => undefined);
    if (child.stdout) readInTurns(child.stdout, listeners.stdout);
    if (child.stderr) readInTurns(child.stderr, listeners.stderr);
    child.once('exit', (code, signal) => {
      const closed = new Promise((resolve) => child.once('close', resolve));
      this.#end.finish(code, signal, {
        closed: closed.then(() => this.#log && closing(this.#log.stream)),
        close: () => {
          this.#log?.drain(listeners.stderr);
          child.stdout?.destroy();
          child.stderr?.destroy();
          child.stdin?.destroy();
        },
      });
      // What the worker started goes with it; of a process namespace nothing is left.
      if (this.#report?.bounds.processes === true) return;
      if (child.pid !== undefined) signalRemains(child.pid);
      this.#sweep();
    });
  }
}

/** The system says the same of a command and of a folder that is not there, and names the command. */
async function whyNot(root: string): Promise<string> {
  const isThere = (await stat(root).catch(() => undefined)) !== undefined;
  return isThere
    ? 'Is the environment whole? verify() tells'
    : `The folder ${root} is not there: if an install was cut off, recover() of a Deployer puts it back`;
}

/** Kills every process that carries the worker's token in its environment (Linux; elsewhere the group is all). */
async function killCarriers(token: string): Promise<void> {
  if (process.platform !== 'linux') return;
  const mark = `${TOKEN_VARIABLE}=${token}`;
  for (const name of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(name)) continue;
    const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '');
    if (!environment.split('\0').includes(mark)) continue;
    try {
      process.kill(Number(name), 'SIGKILL');
    } catch {
      // gone in the meantime
    }
  }
}
