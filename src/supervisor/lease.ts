import type { AlgorithmWorker } from '../worker/algorithm-worker.js';
import type { WorkerSlot } from './worker-slot.js';

/** A worker that is the caller's until it is released. */
export interface Lease {
  readonly slot: WorkerSlot;
  readonly worker: AlgorithmWorker;
}

/** What a call asks of the pool. */
export interface AcquireOptions {
  lane: string;
  /** On the pool's clock. */
  deadline: number;
  signal?: AbortSignal;
  /** On the pool's clock. @defaultValue now */
  arrivedAt?: number;
  /** Workers that had this call before. */
  avoid?: ReadonlySet<AlgorithmWorker>;
  /** The place that had the session before. */
  prefer?: number;
  /** Only this place will do. */
  only?: number;
  isRetry?: boolean;
}
