import type { Option } from '../../options.js';
import { group, number } from '../../options.js';
import { RunnerError } from '../../errors.js';

/** What a sequential test decides between, and how often it may be wrong. */
export interface SequentialTestOptions {
  /** Share of failures that a good version may have, 0 to 1. @defaultValue 0.01 */
  acceptableRate: number;
  /** Share of failures from which on a version is bad; above `acceptableRate`, up to 1. @defaultValue 0.1 */
  rejectableRate: number;
  /** Probability, at most, that a version with the acceptable rate is rejected. @defaultValue 0.05 */
  alpha: number;
  /** Probability, at most, that a version with the rejectable rate is accepted. @defaultValue 0.05 */
  beta: number;
}

/** What holds unless said otherwise. */
export const DEFAULT_SEQUENTIAL_TEST: Readonly<SequentialTestOptions> = Object.freeze({
  acceptableRate: 0.01,
  rejectableRate: 0.1,
  alpha: 0.05,
  beta: 0.05,
});

/** Where a sequential test stands. */
export type SequentialDecision = 'undecided' | 'accepted' | 'rejected';

const SMALLEST = 1e-9;

/** The least and the most of each option. */
export const SEQUENTIAL_TEST_BOUNDS = {
  acceptableRate: [SMALLEST, 1 - SMALLEST],
  rejectableRate: [SMALLEST, 1],
  alpha: [SMALLEST, 0.5],
  beta: [SMALLEST, 0.5],
} as const;

/** The rules of its options. */
export function sequentialTestShape() {
  const { acceptableRate, rejectableRate, alpha, beta } = SEQUENTIAL_TEST_BOUNDS;
  return {
    acceptableRate: number(...acceptableRate),
    rejectableRate: number(...rejectableRate),
    alpha: number(...alpha),
    beta: number(...beta),
  };
}

/** The options of a test within other options. */
export function sequentialTestOptions(): Option<Partial<SequentialTestOptions> | undefined> {
  return group<Partial<SequentialTestOptions>>(sequentialTestShape());
}

/**
 * Fills in the defaults of options that were checked one by one.
 *
 * @throws RunnerError `invalid_params` when the rates are not apart
 */
export function resolveSequentialTest(
  given: Partial<SequentialTestOptions>,
  call: string,
  path = 'rejectableRate',
): SequentialTestOptions {
  const {
    acceptableRate = DEFAULT_SEQUENTIAL_TEST.acceptableRate,
    rejectableRate = DEFAULT_SEQUENTIAL_TEST.rejectableRate,
    alpha = DEFAULT_SEQUENTIAL_TEST.alpha,
    beta = DEFAULT_SEQUENTIAL_TEST.beta,
  } = given;
  if (acceptableRate < rejectableRate) return { acceptableRate, rejectableRate, alpha, beta };
  throw new RunnerError(
    'invalid_params',
    `${call}: ${path} must be above acceptableRate, and is ${rejectableRate} where that is ${acceptableRate}`,
    { details: { path } },
  );
}

/**
 * Wald's sequential probability ratio test of a share of failures: after each trial the likelihood of what was seen at the
 * rejectable rate is divided by that at the acceptable rate. The version is rejected when the ratio reaches 1 / alpha, and
 * accepted when it falls to beta. With these limits each error probability holds by itself (Ville's inequality for the ratio,
 * a martingale); Wald's usual approximation, (1 - beta) / alpha and beta / (1 - alpha), bounds only their sum.
 *
 * A decision is final. The trials must be independent, in an order that has nothing to do with their outcome.
 */
export class SequentialTest {
  readonly #rejectAt: number;
  readonly #acceptAt: number;
  readonly #ofFailure: number;
  readonly #ofSuccess: number;
  #logRatio = 0;
  #trials = 0;
  #failures = 0;
  #decision: SequentialDecision = 'undecided';

  constructor({ acceptableRate, rejectableRate, alpha, beta }: SequentialTestOptions) {
    this.#rejectAt = -Math.log(alpha);
    this.#acceptAt = Math.log(beta);
    this.#ofFailure = Math.log(rejectableRate / acceptableRate);
    this.#ofSuccess = Math.log((1 - rejectableRate) / (1 - acceptableRate)); // -Infinity at a rejectable rate of 1
  }

  /** One more trial. What comes after the decision changes nothing. */
  add(hasFailed: boolean): SequentialDecision {
    if (this.#decision !== 'undecided') return this.#decision;
    this.#trials++;
    if (hasFailed) this.#failures++;
    this.#logRatio += hasFailed ? this.#ofFailure : this.#ofSuccess;
    if (this.#logRatio >= this.#rejectAt) this.#decision = 'rejected';
    else if (this.#logRatio <= this.#acceptAt) this.#decision = 'accepted';
    return this.#decision;
  }

  get decision(): SequentialDecision {
    return this.#decision;
  }

  /** Trials until the decision, or until now. */
  get trials(): number {
    return this.#trials;
  }

  /** Failures among them. */
  get failures(): number {
    return this.#failures;
  }

  /** Whether what was seen is likelier at the rejectable rate than at the acceptable one. */
  get isLikelierBad(): boolean {
    return this.#logRatio > 0;
  }

  /** Trials without a failure that would lead to acceptance from here. */
  get successesToAccept(): number {
    if (this.#decision !== 'undecided') return 0;
    return Math.max(1, Math.ceil((this.#acceptAt - this.#logRatio) / this.#ofSuccess));
  }
}

/**
 * The same test where only counts are known, such as sums over stations. It is looked at now and then, not after each trial: both
 * error probabilities hold all the same, because they bound the ratio over all times at once.
 */
export function sequentialDecision(
  { trials, failures }: { trials: number; failures: number },
  { acceptableRate, rejectableRate, alpha, beta }: SequentialTestOptions,
): SequentialDecision {
  const successes = trials - failures;
  const ofFailures = failures * Math.log(rejectableRate / acceptableRate);
  // No success: 0 times -Infinity, at a rejectable rate of 1, is not a number.
  const ofSuccesses = successes === 0 ? 0 : successes * Math.log((1 - rejectableRate) / (1 - acceptableRate));
  const logRatio = ofFailures + ofSuccesses;
  if (logRatio >= -Math.log(alpha)) return 'rejected';
  return logRatio <= Math.log(beta) ? 'accepted' : 'undecided';
}
