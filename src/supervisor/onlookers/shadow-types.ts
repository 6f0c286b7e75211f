import type { OperationOptions } from '../../abort.js';
import type { AnswerComparison } from '../comparison/comparison.js';
import type { ComparisonReport } from '../comparison/comparison-report.js';

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
  /** Share of those calls, above 0 and up to 1. @defaultValue 1 */
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
