import type { OperationOptions } from '../abort.js';
import type { ToEightBits } from '../frames/pixels/formats.js';
import type { Rect } from '../worker/types.js';
import type { LatencySummary } from './latency.js';

/** What to record, and how much of it. */
export interface RecordOptions extends OperationOptions {
  /** Folder of the recording, empty or not there; a recording that is there is continued. One recorder at a time. */
  directory: string;
  /** Product ids whose calls are recorded. @defaultValue every call, also those with a target */
  productIds?: string[];
  /** Old name of `productIds`. @deprecated use `productIds`: it stays for one minor version */
  pids?: string[];
  /** Bytes the recording may take, at no moment more; the oldest calls make room for new ones. @defaultValue 1 GiB */
  maxBytes?: number;
  /**
   * Calls that may be on their way to the disk, each holding its frame while that is copied; further ones are left out,
   * and so are all while frames in use take more than half of the pool. Pictures that `executeMany` sends in one message count
   * as one call. @defaultValue 8
   */
  maxPending?: number;
}

/** How a recording stands. */
export interface RecordingStatus {
  /** Folder of the recording. */
  directory: string;
  /** Calls in the folder. */
  calls: number;
  /** Bytes of the recording, room for calls that are being written included. */
  bytes: number;
  /** Calls that were dropped to make room. */
  dropped: number;
  /** Calls that were left out because the disk was too slow, or refused them, or the bound is too small for them. */
  skipped: number;
  /** Why a call was left out last, unless the disk was too slow. */
  lastError: Error | undefined;
}

/** A recording that is being made. */
export interface Recording extends AsyncDisposable {
  /** How far it is. */
  status(): RecordingStatus;
  /** Takes no more calls; resolves when those that were taken are on disk. */
  stop(): Promise<RecordingStatus>;
}

/** A recording, and the version it is held against. */
export interface ReplayOptions extends OperationOptions {
  /** Folder of the recording. */
  directory: string;
  /** Package that is to answer. */
  name: string;
  /** Version that is to answer. */
  version: string;
  /** Overlap (intersection over union, 0 to 1) from which two boxes are taken for the same. @defaultValue 0.5 */
  minIou?: number;
  /** How recorded values of more than 8 bits become 8, for a version that takes no others: without it such calls fail there. */
  toEightBits?: ToEightBits;
  /** After each call. */
  onProgress?: (done: number, total: number) => void;
}

/** A candidate version, and which calls it gets a copy of. */
export interface ShadowOptions extends OperationOptions {
  /** Package of the candidate. */
  name: string;
  /** Version of the candidate. */
  version: string;
  /** Product ids whose calls it gets a copy of. @defaultValue every call that was routed by a product id */
  productIds?: string[];
  /** Old name of `productIds`. @deprecated use `productIds`: it stays for one minor version */
  pids?: string[];
  /** Share of those calls, above 0 and up to 1; what follows a `pre_execute` in its session goes with it. @defaultValue 1 */
  share?: number;
  /** Workers of the candidate. @defaultValue 1 */
  workers?: number;
  /**
   * Calls that may wait for the candidate, each holding its frame; further ones are left out, and so are all while
   * frames in use take more than half of the pool. @defaultValue 4
   */
  maxPending?: number;
  /** Overlap (intersection over union, 0 to 1) from which two boxes are taken for the same. @defaultValue 0.5 */
  minIou?: number;
}

/** A candidate that is being tried. */
export interface Shadow extends AsyncDisposable {
  /** How the candidate has done so far. */
  report(): ComparisonReport;
  /** Ends the trial; resolves when the candidate has answered what it has, with the final report. */
  stop(): Promise<ComparisonReport>;
}

/** One call that the candidate was tried on. `name` and `version` are the candidate's. */
export interface ShadowEvent {
  /** Package of the candidate. */
  name: string;
  /** Version of the candidate. */
  version: string;
  /** Product id of the call. */
  productId: string;
  /** Old name of `productId`. @deprecated use `productId`: it stays for one minor version */
  pid: string;
  /** Of the call that was copied. */
  requestId: string;
  /** The active version's answer against the candidate's. */
  comparison: AnswerComparison;
  /** At the worker, in milliseconds. */
  activeMs: number;
  /** As `activeMs`, at the candidate's worker. */
  candidateMs: number;
}

/** Two answers to one image, held against each other. */
export interface AnswerComparison {
  /** Same verdict, and every box has its counterpart. */
  agrees: boolean;
  /** `OK`, `NG`, `ERROR`, or `none` for an answer without a verdict. */
  expected: string;
  /** As `expected`, of the other answer. */
  actual: string;
  /** Defect boxes, paired by their overlap. */
  boxes: {
    /** Boxes that both have. */
    matched: number;
    /** Boxes of the expected answer without a counterpart. */
    missing: Rect[];
    /** Boxes that only the other answer has. */
    extra: Rect[];
    /** Mean intersection over union of the matched ones. */
    meanIou: number | undefined;
  };
}

/** One call in which the two did not agree, or that one of them failed, or that could not be read. */
export interface Disagreement {
  /** Request or recorded call. */
  id: string;
  /** The two answers, when both were given. */
  comparison?: AnswerComparison;
  /** Code and message, when the other version failed, or the recorded call could not be read. */
  failure?: {
    /** Code of its error. */
    code: string;
    /** Message of its error. */
    message: string;
  };
}

/** How a version did beside another one, or beside a recording. */
export interface ComparisonReport {
  /** What it was held against: `name version`, or the recording. */
  expected: string;
  /** What it was compared with, `name version`. */
  actual: string;
  /** Calls whose answers were compared. */
  compared: number;
  /** Of these, those that agreed. */
  agreed: number;
  /** Share of `compared` that agreed; undefined before the first. */
  agreement: number | undefined;
  /** Calls in which the compared version gave no answer. */
  failed: number;
  /** Calls that were left out: no worker was free for them, the call itself had failed, or its record cannot be read. */
  skipped: number;
  /** Calls by verdict of each, for example `NG -> OK`. */
  verdicts: Record<string, number>;
  /** Sums over all calls; the overlap is the mean over matched boxes. */
  boxes: {
    /** That both have. */
    matched: number;
    /** That only the expected answers have. */
    missing: number;
    /** That only the tried version has. */
    extra: number;
    /** Mean intersection over union of the matched ones; undefined when there are none. */
    meanIou: number | undefined;
  };
  /** At the worker, in milliseconds. */
  latency: {
    /** Of what it was held against. */
    expected: LatencySummary;
    /** Of the tried version. */
    actual: LatencySummary;
  };
  /** The first hundred. */
  disagreements: Disagreement[];
}
