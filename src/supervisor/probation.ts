import { RunnerError } from '../errors.js';
import { LatencyWindow } from './latency.js';

/** What a version must stand after a switch, or the one before it comes back. */
export interface ProbationPolicy {
  /** The trial is passed after so many calls… @defaultValue 200 */
  calls: number;
  /** …or after so long, whichever comes first. @defaultValue 60_000 */
  durationMs: number;
  /** Crashes of its workers that end the trial; an open circuit does so at once. @defaultValue 3 */
  maxCrashes: number;
  /** Calls before rates and latency are judged. @defaultValue 10 */
  minCalls: number;
  /** Share of calls that may time out. @defaultValue 0.1 */
  maxTimeoutRate: number;
  /** Share of calls that may fail or be answered with ERROR. @defaultValue 0.2 */
  maxErrorRate: number;
  /** Median latency over that of the version before. @defaultValue 3 */
  maxLatencyRatio: number;
}

/** What holds unless said otherwise. */
export const DEFAULT_PROBATION: Readonly<ProbationPolicy> = Object.freeze({
  calls: 200,
  durationMs: 60_000,
  maxCrashes: 3,
  minCalls: 10,
  maxTimeoutRate: 0.1,
  maxErrorRate: 0.2,
  maxLatencyRatio: 3,
});

/** How a call on trial ended. */
export type TrialOutcome = 'ok' | 'error' | 'timeout';

/** Where a trial stands; `why` says what it failed by. */
export type TrialVerdict = { state: 'running' | 'passed' } | { state: 'failed'; why: string };

/**
 * The trial of a version, without a clock of its own: it is told what happened and how long the trial has lasted, and
 * says at once when a threshold is passed.
 */
export class Probation {
  readonly #policy: ProbationPolicy;
  readonly #usualMs: number | undefined;
  readonly #latency: LatencyWindow;
  #calls = 0;
  #timeouts = 0;
  #errors = 0;
  #crashes = 0;
  #verdict: TrialVerdict = { state: 'running' };

  /** @param usualMs median latency of the version before, if it is known */
  constructor(policy: ProbationPolicy, usualMs?: number) {
    this.#policy = policy;
    this.#usualMs = usualMs;
    this.#latency = new LatencyWindow(Math.max(policy.calls, policy.minCalls));
  }

  get verdict(): TrialVerdict {
    return this.#verdict;
  }

  /** A call has ended. */
  called(outcome: TrialOutcome, totalMs: number): TrialVerdict {
    if (this.#verdict.state !== 'running') return this.#verdict;
    this.#calls++;
    if (outcome === 'timeout') this.#timeouts++;
    else if (outcome === 'error') this.#errors++;
    else this.#latency.add(totalMs);
    const why = this.#fault();
    if (why !== undefined) this.#verdict = { state: 'failed', why };
    else if (this.#calls >= this.#policy.calls) this.#verdict = { state: 'passed' };
    return this.#verdict;
  }

  /** A worker has crashed, or the circuit has opened. */
  crashed(isLoop = false): TrialVerdict {
    if (this.#verdict.state !== 'running') return this.#verdict;
    this.#crashes++;
    if (isLoop || this.#crashes >= this.#policy.maxCrashes) {
      const why = isLoop
        ? 'it crashed until its circuit opened'
        : `its workers crashed ${this.#crashes} times`;
      this.#verdict = { state: 'failed', why };
    }
    return this.#verdict;
  }

  /** The trial has lasted as long as it may. */
  timeIsUp(): TrialVerdict {
    if (this.#verdict.state === 'running') this.#verdict = { state: 'passed' };
    return this.#verdict;
  }

  #fault(): string | undefined {
    const { minCalls, maxTimeoutRate, maxErrorRate, maxLatencyRatio } = this.#policy;
    if (this.#calls < minCalls) return undefined;
    if (this.#timeouts / this.#calls > maxTimeoutRate) {
      return `${this.#timeouts} of ${this.#calls} calls timed out`;
    }
    if (this.#errors / this.#calls > maxErrorRate) return `${this.#errors} of ${this.#calls} calls failed`;
    const median = this.#latency.size >= minCalls ? this.#latency.percentile(0.5) : undefined;
    if (median === undefined || this.#usualMs === undefined || median <= this.#usualMs * maxLatencyRatio) {
      return undefined;
    }
    return `its calls took ${median.toFixed(1)} ms in the middle, where ${this.#usualMs.toFixed(1)} ms were usual`;
  }
}

/** Fills in the defaults. @throws RunnerError `invalid_params` naming the option */
export function resolveProbation(given: Partial<ProbationPolicy>): ProbationPolicy {
  const entries: [string, unknown][] = Object.entries(given);
  const known = Object.fromEntries(entries.filter(([, value]) => value !== undefined));
  const policy: ProbationPolicy = { ...DEFAULT_PROBATION, ...known };
  for (const [name, value] of Object.entries(policy) as [string, unknown][]) {
    const least = name.startsWith('max') && name !== 'maxCrashes' ? 0 : 1;
    if (!(name in DEFAULT_PROBATION) || typeof value !== 'number' || !(value >= least)) {
      throw new RunnerError('invalid_params', `The probation's ${name} cannot be ${String(value)}`, {
        details: { path: `probation.${name}` },
      });
    }
  }
  return policy;
}
