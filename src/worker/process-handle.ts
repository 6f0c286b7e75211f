import type { WorkerBounds, WorkerReport } from '../process/containment.js';

/** What a worker process tells as it runs. */
export interface ProcessListeners {
  stdout: (chunk: Buffer) => void;
  stderr: (chunk: Buffer) => void;
  /** Once, after the last output. */
  exit: (exitCode: number | null, exitSignal: NodeJS.Signals | null) => void;
}

/** The process of a worker, whether it was spawned or forked from a server. */
export interface ProcessHandle {
  /** Of the worker itself, once it is known; before, of its keeper or of what starts its interpreter (Windows). */
  readonly pid: number;
  /** What holds the worker; undefined before the report of the keeper or the launcher. */
  readonly bounds: WorkerBounds | undefined;
  /** Resolves when the keeper has reported, or ended without; at once where there is none. */
  readonly reported: Promise<void>;
  /** Bytes that wait for the process to read them. */
  readonly pendingBytes: number;
  /** Hands bytes over without waiting; a pipe that is broken shows as the exit that follows. */
  write(bytes: Buffer): void;
  /**
   * The launcher has begun: `logPipe` is read from now on as the stderr, and `report` stands for that of a keeper (Windows).
   * Whether that pipe is read.
   */
  launched(told: { logPipe: number | undefined; report: WorkerReport | undefined }): boolean;
  /** It is ready: from now on it has the priority of its host, if it stood back while it started. */
  stepForward(): void;
  /**
   * Ends the process, each step `pauseMs` after the last: it is asked (if `ask` is given), its input ends, SIGTERM,
   * SIGKILL to all that it has started.
   */
  end(ask: (() => void) | undefined, pauseMs: number): Promise<void>;
  /** Signals the process; SIGKILL also reaches what it has started. */
  signal(signal: NodeJS.Signals): void;
  /** Resolves when what the process had started was looked for and killed. After its exit, nothing more comes. */
  whenTreeEnded(): Promise<void>;
  /** Whether the kernel has killed a process of this cgroup for want of memory, and no other worker has claimed that kill. */
  wasKilledForMemory(): boolean;
}
