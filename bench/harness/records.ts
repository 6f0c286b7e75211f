/** The lines of a result file: JSON, one record a line. */
import { median } from './statistics.js';

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly samples: readonly number[];
}

/** First line: on what, of what and how it was measured. */
export interface RunRecord {
  readonly kind: 'run';
  readonly date: string;
  readonly mode: 'full' | 'quick';
  readonly build: BuildFacts;
  readonly against?: BuildFacts;
  readonly machine: Readonly<Record<string, string | number>>;
  readonly versions: Readonly<Record<string, string>>;
}

export interface BuildFacts {
  readonly version: string;
  /** Undefined outside of a repository. */
  readonly commit?: string;
  /** Whether files differed from the commit. */
  readonly changed?: boolean;
}

export interface FigureRecord extends Spread {
  readonly kind: 'figure';
  readonly case: string;
  readonly figure: string;
  readonly unit: string;
  readonly better: 'lower' | 'higher';
  readonly contestant: string;
}

/** A figure of this build and of another, taken in turn. */
export interface PairRecord {
  readonly kind: 'pair';
  readonly case: string;
  readonly figure: string;
  readonly unit: string;
  readonly better: 'lower' | 'higher';
  readonly contestant: string;
  readonly ours: Spread;
  readonly other: Spread;
  /** Ours over the other's, round by round, in order. */
  readonly ratios: readonly number[];
  /** Their median. */
  readonly ratio: number;
}

export interface BarRecord {
  readonly kind: 'bar';
  readonly case: string;
  readonly figure: string;
  readonly contestant: string;
  readonly value: number;
  readonly goal: string;
  readonly pass: boolean;
}

/** A contestant that cannot be had here, or all of a case. */
export interface SkippedRecord {
  readonly kind: 'skipped';
  readonly case: string;
  readonly contestant?: string;
  readonly reason: string;
}

export interface FailedRecord {
  readonly kind: 'failed';
  readonly case: string;
  readonly contestant?: string;
  readonly build: 'this' | 'other';
  readonly error: string;
}

/** Follows the records of a case. */
export interface CaseRecord {
  readonly kind: 'case';
  readonly case: string;
  readonly measures: string;
  /** When it began. */
  readonly date: string;
  /** Of the build that was measured, where there is a repository. */
  readonly commit?: string;
  readonly seconds: number;
  /** Rounds that count. */
  readonly rounds: number;
  /** Average number of processes that wanted a core in the minute before, at the start and at the end of the case. */
  readonly load: readonly [number, number];
}

export type CaseResult = FigureRecord | PairRecord | BarRecord | SkippedRecord | FailedRecord | CaseRecord;
export type BenchRecord = RunRecord | CaseResult;

export function spreadOf(samples: readonly number[]): Spread {
  return { median: median(samples), min: Math.min(...samples), max: Math.max(...samples), samples };
}
