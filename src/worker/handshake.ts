import type { RunnerError } from '../errors.js';
import { expireAfter } from './heartbeat.js';
import type { WorkerLimits } from './types.js';

interface Step {
  resolve: (value: never) => void;
  reject: (error: RunnerError) => void;
}

/** Waits for what the start of a worker must bring, one thing at a time, or for the failure that comes before it. */
export class Handshake {
  #step: Step | undefined;
  #failure: RunnerError | undefined;

  /** Waits until {@link arrive} or {@link fail} is called, or `limitMs` have passed. */
  async expect<T>(limitMs: number, late: () => RunnerError): Promise<T> {
    if (this.#failure) throw this.#failure;
    let cancel: (() => void) | undefined;
    try {
      return await new Promise<T>((resolve, reject) => {
        cancel = expireAfter(limitMs, () => {
          reject(late());
        });
        this.#step = { resolve, reject };
      });
    } finally {
      cancel?.();
      this.#step = undefined;
    }
  }

  /** What was waited for is here. When nothing waits for it any longer, the start is over, and it is dropped. */
  arrive(value: unknown): void {
    this.#step?.resolve(value as never);
    this.#step = undefined;
  }

  /** It will not come. The first failure stands. */
  fail(error: RunnerError): void {
    this.#failure ??= error;
    this.#step?.reject(this.#failure);
  }
}

/** What the host says when the worker has said hello. */
export function helloOf({ heartbeatIntervalMs, heartbeatGraceMs }: WorkerLimits): object {
  return {
    type: 'hello',
    runner_version: '1',
    heartbeat_interval_ms: heartbeatIntervalMs,
    heartbeat_grace_ms: heartbeatGraceMs,
  };
}
