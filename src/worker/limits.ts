import { RunnerError } from '../errors.js';
import { MAX_FRAME_CEILING } from './frame-codec.js';
import type { CallPhase, WorkerLimits } from './types.js';

/** The specification's defaults, and for what it leaves open what a big model on a slow disk needs. */
export const DEFAULT_WORKER_LIMITS: WorkerLimits = {
  helloMs: 10_000,
  loadMs: 120_000,
  preMs: 3_000,
  executeMs: 5_000,
  infoMs: 5_000,
  shutdownMs: 2_000,
  heartbeatIntervalMs: 5_000,
  heartbeatGraceMs: 2_000,
  maxFrameBytes: 2 * 1024 * 1024,
};

/** @throws RunnerError `invalid_params` naming the limit that is not a positive number */
export function resolveLimits(limits: Partial<WorkerLimits> = {}): WorkerLimits {
  const given = Object.fromEntries(
    Object.entries(limits).filter(([, value]: [string, unknown]) => value !== undefined),
  );
  const resolved: WorkerLimits = { ...DEFAULT_WORKER_LIMITS, ...given };
  for (const name of Object.keys(resolved) as (keyof WorkerLimits)[]) {
    const value = resolved[name];
    const most = name === 'maxFrameBytes' ? MAX_FRAME_CEILING : 0x7fff_ffff; // the longest timer of Node
    if (!(value > 0 && value <= most)) {
      throw new RunnerError(
        'invalid_params',
        `${name} must be a number above 0 and at most ${most}, not ${value}`,
        {
          details: { path: name },
        },
      );
    }
  }
  return resolved;
}

/** How long a call of this phase may take. */
export function limitOf(limits: WorkerLimits, phase: CallPhase): number {
  if (phase === 'execute') return limits.executeMs;
  return phase === 'pre' ? limits.preMs : limits.infoMs;
}
