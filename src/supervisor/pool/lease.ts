import type { AlgorithmWorker } from '../../worker/algorithm-worker.js';
import type { WorkerSlot } from './worker-slot.js';

/** A worker that is the caller's until it is released. */
export interface Lease {
  readonly slot: WorkerSlot;
  readonly worker: AlgorithmWorker;
}

/** What a call asks of the pool. */
export interface AcquireOptions {
  lane: string;
  /** Its request id, however often it is tried. */
  call?: string;
  /** On the pool's clock. */
  deadline: number;
  signal?: AbortSignal;
  /** On the pool's clock. @defaultValue now */
  arrivedAt?: number;
  /** Workers that had this call before. */
  avoid?: ReadonlySet<AlgorithmWorker>;
  /** The place that had the session before. */
  prefer?: number;
  /** Has the values of the session: no other worker will do while this one lives. */
  keeper?: AlgorithmWorker;
  /** Only this place will do. */
  only?: number;
  isRetry?: boolean;
}

/** Whether the call may go to the worker that stands here. */
export function accepts({ only, avoid, keeper }: AcquireOptions, { index, worker }: WorkerSlot): boolean {
  if (only !== undefined && index !== only) return false;
  if (worker && avoid?.has(worker)) return false;
  return !keeper || worker === keeper || (keeper.state !== 'idle' && keeper.state !== 'busy');
}
