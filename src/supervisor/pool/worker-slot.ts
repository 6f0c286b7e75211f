import type { RunnerError } from '../../errors.js';
import type { AlgorithmWorker } from '../../worker/algorithm-worker.js';
import type { PicturesWay } from '../../worker/types.js';
import { LatencyWindow } from '../latency.js';
import { UsageMeter } from './process-usage.js';

/**
 * One place in a pool: the worker that stands there now, and what outlives it when another takes the place.
 * Holds state only; the pool moves it.
 */
export class WorkerSlot {
  /** From 0; callers see it as `worker` in results and events. */
  readonly index: number;
  readonly latency = new LatencyWindow();
  /** The worker, once it is ready and until it has exited. */
  worker: AlgorithmWorker | undefined;
  /** A worker that will take over as soon as no call runs here. */
  successor: AlgorithmWorker | undefined;
  isStarting = false;
  /** Whether the pool has given up this place: its worker finishes its call and goes. */
  isGivenUp = false;
  /** Whether a replacement is being started beside the worker. */
  isRecycling = false;
  /** Whether a call runs, or is about to. */
  isBusy = false;
  /** Whether the present worker has answered a call, or stood for long enough. */
  isProven = false;
  /** Request ids of the calls that the present worker has, or was lost with. */
  calledBy: readonly string[] = [];
  /** Times a worker was started here after the first. */
  restarts = 0;
  /** Calls that ended here, ever. */
  calls = 0;
  /** Calls the present worker has ended. */
  callsOfWorker = 0;
  /** How its pictures come to the algorithm. */
  pictures: PicturesWay | undefined;
  lastError: RunnerError | undefined;
  readyAt: number | undefined;
  usage = new UsageMeter();
  /** Ends the wait for a delayed start. */
  cancelStart: (() => void) | undefined;
  /** Ends the wait after a successor that could not be started. */
  cancelRecycling: (() => void) | undefined;
  /** Ends the wait for the worker to prove itself by standing. */
  cancelStable: (() => void) | undefined;

  constructor(index: number) {
    this.index = index;
  }

  /** Whether a call can run here now. */
  get isIdle(): boolean {
    return this.worker?.state === 'idle' && !this.isBusy && !this.isGivenUp;
  }

  /** Whether nothing stands here and nothing is on its way. */
  get isVacant(): boolean {
    return this.worker === undefined && !this.isStarting && this.cancelStart === undefined;
  }

  /** A ready worker takes the place. */
  seat(worker: AlgorithmWorker, now: number): void {
    this.worker = worker;
    this.isProven = false;
    this.calledBy = [];
    this.pictures = undefined;
    this.callsOfWorker = 0;
    this.readyAt = now;
    this.usage = new UsageMeter();
    this.#endRecycling();
  }

  /** The worker is gone. */
  vacate(): void {
    this.worker = undefined;
    this.isProven = false;
    this.readyAt = undefined;
    this.cancelStable?.();
    this.cancelStable = undefined;
  }

  /** Ends every wait. */
  cancelTimers(): void {
    this.cancelStart?.();
    this.cancelStart = undefined;
    this.cancelStable?.();
    this.cancelStable = undefined;
    this.#endRecycling();
  }

  /** Forgets a successor that could not be started, but not a successor that is starting. */
  #endRecycling(): void {
    if (!this.cancelRecycling) return;
    this.cancelRecycling();
    this.cancelRecycling = undefined;
    this.isRecycling = false;
  }
}
