import { RunnerError } from '../../errors.js';
import { boundaryCases } from '../../validation/boundary-cases.js';
import type { ConformanceRow } from './types.js';

interface Notes {
  faults: string[];
  seen: string[];
  skipped: string[];
}

/** What was seen of each case so far; several parts of the suite may add to one row. */
export class Ledger {
  readonly #notes = new Map<number, Notes>();

  /** @param rows - numbers of the rows that are run; all when it is undefined */
  constructor(rows: readonly number[] | undefined) {
    for (const { number } of boundaryCases()) {
      // Without the ordinary call no other row says anything.
      if (number === 0 || !rows || rows.includes(number)) {
        this.#notes.set(number, { faults: [], seen: [], skipped: [] });
      }
    }
  }

  /** Whether one of these rows is run. */
  wants(...numbers: number[]): boolean {
    return numbers.some((number) => this.#notes.has(number));
  }

  /** Whether something was found wrong with a row. */
  hasFailed(number: number): boolean {
    return (this.#notes.get(number)?.faults.length ?? 0) > 0;
  }

  /** A fault, with its remedy. */
  fail(number: number, fault: string): void {
    const faults = this.#notes.get(number)?.faults;
    if (faults && !faults.includes(fault)) faults.push(fault);
  }

  /** What is as it should be. */
  see(number: number, what: string): void {
    this.#notes.get(number)?.seen.push(what);
  }

  /** A part of a row that cannot be run here, or does not exist for the version. */
  skip(number: number, reason: string): void {
    this.#notes.get(number)?.skipped.push(reason);
  }

  /** Runs a part of a row if it is wanted; what it throws is a fault of that row. */
  async run(number: number, part: () => Promise<void>): Promise<void> {
    if (!this.wants(number)) return;
    try {
      await part();
    } catch (error) {
      if (RunnerError.is(error, 'aborted')) throw error;
      this.fail(number, (error as Error).message);
    }
  }

  /** Rows in the order of the table. A row of which nothing was seen is skipped. */
  get rows(): ConformanceRow[] {
    return boundaryCases().flatMap((one): ConformanceRow[] => {
      const notes = this.#notes.get(one.number);
      if (!notes) return [];
      const { faults, seen, skipped } = notes;
      if (faults.length > 0) return [{ ...one, result: 'fail', message: faults.join('; ') }];
      const message = [...seen, ...skipped].join('; ');
      if (seen.length > 0) return [{ ...one, result: 'pass', message }];
      return [{ ...one, result: 'skip', reason: skipped.join('; ') || 'nothing was seen of it', message }];
    });
  }
}
