import { asFailure, type RunnerError } from '../../errors.js';
import type { AgentClock } from './clock.js';

/** How long is waited before something is tried again: at first, and at most; it doubles each time. */
export interface Backoff {
  firstMs: number;
  mostMs: number;
}

interface Fault {
  error: RunnerError;
  attempts: number;
  /** On the clock. */
  retryAt: number;
}

/** What failed, by what was tried, and when it is tried again. */
export class Faults {
  readonly #clock: AgentClock;
  readonly #backoff: Backoff;
  readonly #faults = new Map<string, Fault>();

  constructor(clock: AgentClock, backoff: Backoff) {
    this.#clock = clock;
    this.#backoff = backoff;
  }

  /** The fault that is shown: the oldest. */
  get first(): RunnerError | undefined {
    return this.#faults.values().next().value?.error;
  }

  /** Milliseconds until something is tried again; undefined where nothing failed. */
  get nextMs(): number | undefined {
    const times = [...this.#faults.values()].map(({ retryAt }) => retryAt);
    return times.length === 0 ? undefined : Math.max(0, Math.min(...times) - this.#clock.now());
  }

  isDue(what: string): boolean {
    const fault = this.#faults.get(what);
    return !fault || fault.retryAt <= this.#clock.now();
  }

  add(what: string, error: unknown): RunnerError {
    const { firstMs, mostMs } = this.#backoff;
    const attempts = (this.#faults.get(what)?.attempts ?? 0) + 1;
    const delayMs = Math.min(firstMs * 2 ** (attempts - 1), mostMs);
    const failure = asFailure(error, what);
    const retryAt = this.#clock.now() + delayMs * (0.75 + this.#clock.random() / 4);
    this.#faults.set(what, { error: failure, attempts, retryAt });
    return failure;
  }

  clear(what: string): void {
    this.#faults.delete(what);
  }

  /** Forgets those that are not among what is still to be done. */
  keepOnly(whats: ReadonlySet<string>): void {
    for (const what of this.#faults.keys()) if (!whats.has(what)) this.#faults.delete(what);
  }

  /** Everything is tried at once: the line stands again, or something else is wanted. */
  retryNow(): void {
    for (const fault of this.#faults.values()) Object.assign(fault, { attempts: 0, retryAt: 0 });
  }
}
