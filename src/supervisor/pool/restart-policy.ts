import type { RunnerError } from '../../errors.js';

/** When a failed worker is started again, and when no more. */
export interface RestartOptions {
  /** Starts tried in a row for one place in the pool before the circuit opens. @defaultValue 3 */
  maxRestarts: number;
  /** Crashes and failed starts within `crashWindowMs` that open the circuit. @defaultValue 5 */
  maxCrashes: number;
  /** How long a crash counts, in milliseconds. @defaultValue 60_000 */
  crashWindowMs: number;
  /** Before the second try; doubles with each further one. The first is made at once. @defaultValue 200 */
  backoffMs: number;
  /** The longest wait before a try, in milliseconds. @defaultValue 10_000 */
  maxBackoffMs: number;
  /** Part of the backoff that is left to chance, 0 to 1: workers that fell together do not rise together. @defaultValue 0.5 */
  backoffJitter: number;
  /** How long the circuit stays open before one worker is started on probation. @defaultValue 30_000 */
  coolDownMs: number;
}

/** `closed`: all is well. `open`: nothing is started. `half-open`: one worker is on probation. */
export type CircuitState = 'closed' | 'open' | 'half-open';

/** What to do after a failure. */
export type RestartDecision =
  | { kind: 'restart'; delayMs: number; attempt: number }
  | { kind: 'open'; coolDownMs: number; reason: 'crashes' | 'restarts' | 'probation' };

/**
 * Decides about restarts, in no time of its own: the caller says what happened and when. At once, then exponential
 * backoff with jitter; three tries; five crashes within a minute open the circuit (worker protocol, policies).
 */
export class RestartPolicy {
  readonly #options: RestartOptions;
  readonly #random: () => number;
  /** The failures of the window, oldest first, and the calls that each happened in. */
  #failures: { at: number; calls: readonly string[] }[] = [];
  /** Failures in a row, by place in the pool. */
  readonly #streaks = new Map<number, number>();
  #state: CircuitState = 'closed';
  #openedAt = 0;
  #cause: RunnerError | undefined;

  constructor(options: RestartOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
  }

  get state(): CircuitState {
    return this.#state;
  }

  /** The failure that opened the circuit, until it is closed. */
  get cause(): RunnerError | undefined {
    return this.#cause;
  }

  /** When a probe may be made, on the caller's clock; undefined unless the circuit is open. */
  get probeAt(): number | undefined {
    return this.#state === 'open' ? this.#openedAt + this.#options.coolDownMs : undefined;
  }

  /**
   * A worker crashed, or could not be started. Crashes in one call, which is tried again at other workers, count once:
   * they speak of its picture. `calls`: those that the worker had, all of one message. While other workers stand (`isServed`), nothing but this place is left alone for a while: the
   * circuit would end those too.
   */
  failed(
    place: number,
    now: number,
    {
      error,
      calls = [],
      isServed = false,
    }: { error?: RunnerError; calls?: readonly string[]; isServed?: boolean } = {},
  ): RestartDecision {
    const { maxCrashes, crashWindowMs, maxRestarts, coolDownMs } = this.#options;
    if (this.#state === 'half-open') return this.#open(now, 'probation', error);
    if (this.#state === 'open') return { kind: 'open', coolDownMs, reason: 'crashes' };
    this.#failures = this.#failures.filter(({ at }) => now - at < crashWindowMs);
    const isKnown = this.#failures.some((failure) => failure.calls.some((call) => calls.includes(call)));
    if (!isKnown) this.#failures.push({ at: now, calls });
    const streak = (this.#streaks.get(place) ?? 0) + 1;
    this.#streaks.set(place, streak);
    const reason =
      this.#failures.length >= maxCrashes ? 'crashes' : streak > maxRestarts ? 'restarts' : undefined;
    if (reason !== undefined && !isServed) return this.#open(now, reason, error);
    if (reason !== undefined)
      return { kind: 'restart', delayMs: this.#options.maxBackoffMs, attempt: streak };
    return { kind: 'restart', delayMs: this.#delay(streak), attempt: streak };
  }

  /** The worker has answered a call, or stood for long enough. True when that closed the circuit. */
  proven(place: number): boolean {
    if (this.#state === 'open') return false;
    this.#streaks.delete(place);
    if (this.#state === 'closed') return false;
    this.reset();
    return true;
  }

  /** Lets one worker be started on probation, when the circuit is open and has cooled down. */
  probe(now: number): boolean {
    if (this.probeAt === undefined || now < this.probeAt) return false;
    this.#state = 'half-open';
    return true;
  }

  /** Forgets everything, by hand. */
  reset(): void {
    this.#state = 'closed';
    this.#cause = undefined;
    this.#failures = [];
    this.#streaks.clear();
  }

  #open(
    now: number,
    reason: 'crashes' | 'restarts' | 'probation',
    cause: RunnerError | undefined,
  ): RestartDecision {
    this.#state = 'open';
    this.#cause = cause;
    this.#openedAt = now; // failures and streaks are not read before reset() has cleared them
    return { kind: 'open', coolDownMs: this.#options.coolDownMs, reason };
  }

  #delay(streak: number): number {
    if (streak === 1) return 0;
    const { backoffMs, maxBackoffMs, backoffJitter } = this.#options;
    const full = Math.min(maxBackoffMs, backoffMs * 2 ** (streak - 2));
    return full * (1 - backoffJitter * this.#random());
  }
}
