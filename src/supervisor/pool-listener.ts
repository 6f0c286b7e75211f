import type { RunnerError } from '../errors.js';
import type { WorkerExit, WorkerLog, WorkerReady } from '../worker/types.js';

/** What a pool tells. `worker` is the index of the place, undefined for a spare. */
export interface PoolListener {
  ready(worker: number | undefined, ready: WorkerReady): void;
  exit(worker: number | undefined, exit: WorkerExit, pid: number | undefined): void;
  restart(worker: number, attempt: number, delayMs: number, reason: string): void;
  recycled(worker: number, pid: number | undefined): void;
  log(worker: number | undefined, log: WorkerLog): void;
  strayOutput(worker: number | undefined, text: string): void;
  heartbeatLost(worker: number | undefined, error: RunnerError): void;
  failure(worker: number | undefined, error: RunnerError): void;
  circuitOpen(reason: string, coolDownMs: number, error: RunnerError): void;
  circuitClosed(): void;
  /** Something that `status()` shows has changed. */
  changed(): void;
}
