import { RunnerError } from '../errors.js';
import { LONGEST_TIMER_MS } from '../longest-timer.js';
import { MAX_FRAME_CEILING } from './frame-codec.js';
import type { CallPhase, WorkerLimits, WorkerResources } from './types.js';

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
    const most = name === 'maxFrameBytes' ? MAX_FRAME_CEILING : LONGEST_TIMER_MS;
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

/** Least and most of each resource; all but `cpus` are whole numbers. */
const RESOURCE_BOUNDS: Record<keyof WorkerResources, readonly [least: number, most: number]> = {
  addressSpaceBytes: [1, Number.MAX_SAFE_INTEGER],
  openFiles: [1, 0x7fff_ffff],
  nice: [-20, 19],
  scratchBytes: [2 ** 20, Number.MAX_SAFE_INTEGER],
  cpus: [0.01, 1_024],
  processes: [1, 0x7fff_ffff],
};

/** @throws RunnerError `invalid_params` naming what is no limit that a process can have */
export function checkResources(resources: WorkerResources = {}): void {
  for (const [name, value] of Object.entries(resources) as [keyof WorkerResources, number | undefined][]) {
    if (value === undefined) continue;
    const bounds = RESOURCE_BOUNDS[name] as readonly [number, number] | undefined;
    const isNumber = name === 'cpus' ? Number.isFinite(value) : Number.isInteger(value);
    if (bounds && isNumber && value >= bounds[0] && value <= bounds[1]) continue;
    const rule = bounds
      ? `must be a ${name === 'cpus' ? '' : 'whole '}number from ${bounds[0]} to ${bounds[1]}, not ${value}`
      : `is no limit: there are ${Object.keys(RESOURCE_BOUNDS).join(', ')}`;
    throw new RunnerError('invalid_params', `resources.${name} ${rule}`, {
      details: { path: `resources.${name}` },
    });
  }
}

/** How long a call of this phase may take. */
export function limitOf(limits: WorkerLimits, phase: CallPhase): number {
  if (phase === 'execute') return limits.executeMs;
  return phase === 'pre' ? limits.preMs : limits.infoMs;
}
