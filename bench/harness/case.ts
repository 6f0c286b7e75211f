/** What a case of the bench is. A file of `bench/cases` exports `cases`, an array of these. */
import type * as Main from '../../src/index.js';
import type * as Testing from '../../src/testing/index.js';

/** The build that is measured: what its users load, from `dist`. */
export interface Library {
  /** Folder of its `package.json`. */
  readonly root: string;
  /** The main entry. */
  readonly main: typeof Main;
  /** The test kit, from which cases make their packages. */
  readonly testing: typeof Testing;
  /** Absolute path of a file of the build, for processes that load it from cold. */
  readonly file: (relative: string) => string;
}

/** What a case gets. */
export interface BenchContext {
  readonly library: Library;
  /** Less of everything: the case proves that it runs, its figures are rough. */
  readonly quick: boolean;
  /** An empty folder, which also is the temp folder of the process. It is removed after the run. */
  readonly folder: string;
  /** Folder of downloads that outlives the run. */
  readonly cache: string;
  /** Registers work for the end of the case. Last come, first served. */
  readonly onClose: (work: () => unknown) => void;
}

/** A figure that each round gives. */
export interface Figure {
  readonly unit: string;
  /** Which way is better. @defaultValue 'lower' */
  readonly better?: 'lower' | 'higher';
}

/** A goal for a figure: for its median itself, or for how it stands to that of another contestant. */
export interface Bar {
  readonly figure: string;
  readonly contestant: string;
  /** The median is divided by the median of this contestant first. */
  readonly over?: string;
  /** The median of this contestant is subtracted first. */
  readonly minus?: string;
  readonly atMost?: number;
  readonly atLeast?: number;
}

/** Something that does the work that is measured: ours, or a comparator. */
export interface Contestant {
  /** One measurement. Each figure of the case has at most one value in it. */
  readonly round: () => Promise<Record<string, number>>;
  readonly close?: () => Promise<unknown>;
}

/** Opens a contestant; throws {@link Unavailable} where it cannot be had. */
export type OpenContestant = () => Contestant | Promise<Contestant>;

/** One case. It runs in a process of its own: what it leaves behind, and how it ends, is nothing to the others. */
export interface BenchCase {
  /** `group/what`, unique. */
  readonly name: string;
  /** What is measured, as one sentence without a full stop. */
  readonly measures: string;
  readonly figures: Readonly<Record<string, Figure>>;
  readonly bars?: readonly Bar[];
  /** @defaultValue 5 */
  readonly rounds?: number;
  /** One round of each contestant before those that count. @defaultValue true */
  readonly warmUp?: boolean;
  /** For all of the case. @defaultValue 180 */
  readonly limitSeconds?: number;
  /**
   * Hold the case, and all that it starts, on one core. For round trips of some 30 µs: to wake another core costs more than
   * the whole trip, so that figures from several cores tell where the scheduler happened to put each process.
   */
  readonly oneCore?: boolean;
  /**
   * Prepares what the contestants share and gives them by name. Names of the library's own begin with `ours`: `--against`
   * runs these alone.
   */
  readonly open: (context: BenchContext) => Promise<Record<string, OpenContestant>>;
}

/** A contestant, or a whole case, that cannot be had here. The message is the reason. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
}
