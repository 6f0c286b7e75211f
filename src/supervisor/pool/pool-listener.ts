import type { RunnerError } from '../../errors.js';
import type { AlgorithmWorker } from '../../worker/algorithm-worker.js';
import type { StrayOutput, WorkerExit, WorkerLog, WorkerReady } from '../../worker/types.js';

/** What a pool tells. `worker` is the index of the place, undefined for a spare. */
export interface PoolListener {
  ready(worker: number | undefined, ready: WorkerReady): void;
  exit(worker: number | undefined, exit: WorkerExit, processId: number | undefined): void;
  restart(worker: number, attempt: number, delayMs: number, reason: string): void;
  recycled(worker: number, processId: number | undefined): void;
  log(worker: number | undefined, log: WorkerLog): void;
  strayOutput(worker: number | undefined, text: string, output: StrayOutput): void;
  heartbeatLost(worker: number | undefined, error: RunnerError): void;
  failure(worker: number | undefined, error: RunnerError): void;
  circuitOpen(reason: string, coolDownMs: number, error: RunnerError): void;
  circuitClosed(): void;
  /** Something that `status()` shows has changed. */
  changed(): void;
}

/** Tells what a worker says, and at which place it stands while it says it. */
export function passOn(worker: AlgorithmWorker, place: () => number | undefined, tell: PoolListener): void {
  worker.on('log', (log) => {
    tell.log(place(), log);
  });
  worker.on('strayOutput', (text, output) => {
    tell.strayOutput(place(), text, output);
  });
  worker.on('heartbeatLost', (error) => {
    tell.heartbeatLost(place(), error);
  });
  worker.on('protocolError', (error, { endsCall }) => {
    if (!endsCall) tell.failure(place(), error); // else the call is rejected with it, and the worker ends with it
  });
}
