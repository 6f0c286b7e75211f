import { LatencyWindow } from '../latency.js';
import { resolveSequentialTest, SequentialTest, type SequentialTestOptions } from './sequential-test.js';

/**
 * What a version must stand after a switch, or the one before it comes back. Calls are those of the product ids that
 * were moved, retries included in the call they belong to.
 */
export interface ProbationPolicy {
  /** The trial is passed after so many calls… @defaultValue 200 */
  calls: number;
  /** …or after so long, whichever comes first. @defaultValue 60_000 */
  durationMs: number;
  /** So many crashes of its workers fail the trial; an open circuit does so at once. @defaultValue 3 */
  maxCrashes: number;
  /**
   * Calls before the rates are compared, and answers before the latency is. When the trial ends sooner, the rates are
   * compared over the calls so far. @defaultValue 10
   */
  minCalls: number;
  /** Share of calls that may time out, 0 to 1; above it the trial is failed. @defaultValue 0.1 */
  maxTimeoutRate: number;
  /** Share of calls that may fail or be answered with ERROR, 0 to 1; timeouts are counted apart. @defaultValue 0.2 */
  maxErrorRate: number;
  /**
   * Median latency of its answers over that of the version before, both from the request to the result; not compared
   * where the version before has answered nothing on this host. `Infinity` switches the check off. @defaultValue 3
   */
  maxLatencyRatio: number;
  /**
   * Decides by a sequential test of failed calls (timeouts and errors) instead of fixed counts: after as few calls as show
   * that the share of failures is acceptable or rejectable, with bounds on both errors. `{}` takes the defaults of
   * {@link SequentialTestOptions}. `calls`, `maxTimeoutRate` and `maxErrorRate` have no effect then; crashes and latency have
   * theirs. A trial whose time is up before the decision ends as the calls make likelier: give it a `durationMs` in which
   * some hundred calls come.
   * @defaultValue none: fixed counts
   */
  test?: Partial<SequentialTestOptions>;
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

/** Answers whose median is taken, at most: it is asked for at every call. */
const MOST_ANSWERS = 512;

const SWITCH = 'supervisor.switch({ probation })';
const TEST_RATE = 'probation.test.rejectableRate';

/** How a call on trial ended. */
export type CallOutcome = 'ok' | 'error' | 'timeout';

/** Where a trial stands; `why` says what it failed by. */
export type CanaryVerdict = { state: 'running' | 'passed' } | { state: 'failed'; why: string };

/**
 * The trial of a version, without a clock or I/O: it receives outcomes and the age of the trial, and returns a
 * verdict as soon as a threshold is passed.
 */
export class Probation {
  readonly #policy: ProbationPolicy;
  readonly #usualMs: number | undefined;
  /** Calls before anything but crashes counts: no more than the trial has. */
  readonly #least: number;
  readonly #latency: LatencyWindow;
  readonly #test: SequentialTest | undefined;
  #calls = 0;
  #timeouts = 0;
  #errors = 0;
  #crashes = 0;
  #verdict: CanaryVerdict = { state: 'running' };

  /** @param usualMs median latency of the version before, if it is known */
  constructor(policy: ProbationPolicy, usualMs?: number) {
    this.#policy = policy;
    this.#usualMs = usualMs;
    this.#test = policy.test && new SequentialTest(resolveSequentialTest(policy.test, SWITCH, TEST_RATE));
    this.#least = this.#test ? policy.minCalls : Math.min(policy.minCalls, policy.calls);
    this.#latency = new LatencyWindow(this.#test ? MOST_ANSWERS : Math.min(policy.calls, MOST_ANSWERS));
  }

  get verdict(): CanaryVerdict {
    return this.#verdict;
  }

  /** Calls so far, and those of them that failed or timed out. */
  get counts(): { calls: number; failures: number } {
    return { calls: this.#calls, failures: this.#timeouts + this.#errors };
  }

  /** Whether there were calls enough for a verdict on them. */
  get hasEnough(): boolean {
    return this.#calls >= this.#least;
  }

  /** A call has ended. */
  called(outcome: CallOutcome, totalMs: number): CanaryVerdict {
    if (this.#verdict.state !== 'running') return this.#verdict;
    this.#calls++;
    if (outcome === 'timeout') this.#timeouts++;
    else if (outcome === 'error') this.#errors++;
    else this.#latency.add(totalMs);
    const decision = this.#test?.add(outcome !== 'ok');
    const { hasEnough } = this;
    const byRate = this.#test ? this.#rejection() : hasEnough ? this.#badRate() : undefined;
    const why = byRate ?? (hasEnough ? this.#slowness() : undefined);
    const isOver = this.#test ? decision === 'accepted' : this.#calls >= this.#policy.calls;
    if (why !== undefined) this.#verdict = { state: 'failed', why };
    else if (isOver) this.#verdict = { state: 'passed' };
    return this.#verdict;
  }

  /** A worker has crashed, or the circuit has opened. */
  crashed(isLoop = false): CanaryVerdict {
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

  /**
   * The trial has reached its time limit. A version with few calls is decided by those: a version that failed them
   * all does not pass.
   */
  timeIsUp(): CanaryVerdict {
    if (this.#verdict.state !== 'running') return this.#verdict;
    const why = this.#calls === 0 ? undefined : this.#test ? this.#likelihood() : this.#badRate();
    this.#verdict = why === undefined ? { state: 'passed' } : { state: 'failed', why };
    return this.#verdict;
  }

  /** What the sequential test rejects the version by. */
  #rejection(): string | undefined {
    return this.#test?.decision === 'rejected' ? this.#failuresInWords() : undefined;
  }

  /** What speaks against the version where the test has not decided. */
  #likelihood(): string | undefined {
    if (!this.#test?.isLikelierBad) return undefined;
    return `${this.#failuresInWords()} before the sequential test could decide`;
  }

  #failuresInWords(): string {
    return `${this.#timeouts + this.#errors} of ${this.#calls} calls failed`;
  }

  #badRate(): string | undefined {
    const { maxTimeoutRate, maxErrorRate } = this.#policy;
    if (this.#timeouts / this.#calls > maxTimeoutRate) {
      return `${this.#timeouts} of ${this.#calls} calls timed out`;
    }
    if (this.#errors / this.#calls > maxErrorRate) return `${this.#errors} of ${this.#calls} calls failed`;
    return undefined;
  }

  #slowness(): string | undefined {
    const enough = Math.min(this.#least, MOST_ANSWERS);
    if (this.#usualMs === undefined || this.#latency.size < enough) return undefined;
    const median = this.#latency.percentile(0.5);
    if (median === undefined || median <= this.#usualMs * this.#policy.maxLatencyRatio) return undefined;
    return `its calls took ${median.toFixed(1)} ms in the middle, where ${this.#usualMs.toFixed(1)} ms were usual`;
  }
}

/**
 * Fills in the defaults of options that were checked.
 *
 * @throws RunnerError `invalid_params` when the rates of `test` are not apart
 */
export function resolveProbation(given: Partial<ProbationPolicy>): ProbationPolicy {
  const known = Object.fromEntries(
    Object.entries(given).filter(([, value]: [string, unknown]) => value !== undefined),
  );
  if (given.test) resolveSequentialTest(given.test, SWITCH, TEST_RATE);
  return { ...DEFAULT_PROBATION, ...known };
}
