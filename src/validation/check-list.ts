import type { RunnerError } from '../errors.js';
import type { Check } from '../package/types.js';
import type { CheckName } from './check-names.js';

/** Collects checks and the failures behind them, and tells each as it is made. */
export class CheckList {
  readonly checks: Check[] = [];
  /** What an install would reject with, in the order found. */
  readonly failures: RunnerError[] = [];
  readonly #onCheck: (check: Check) => void;
  #since = performance.now();

  constructor(onCheck: (check: Check) => void = () => undefined) {
    this.#onCheck = onCheck;
  }

  pass(name: CheckName, message = ''): void {
    this.add({ name, result: 'PASS', message, durationMs: this.#lap() });
  }

  fail(name: CheckName, error: RunnerError): void {
    this.failures.push(error);
    this.add({ name, result: 'FAIL', message: error.message, durationMs: this.#lap() });
  }

  skip(name: CheckName, why: string): void {
    this.add({ name, result: 'SKIP', message: why, durationMs: 0 });
  }

  add(check: Check): void {
    this.checks.push(check);
    this.#onCheck(check);
  }

  has(name: CheckName): boolean {
    return this.checks.some((check) => check.name === name);
  }

  #lap(): number {
    const now = performance.now();
    const took = now - this.#since;
    this.#since = now;
    return took;
  }
}
