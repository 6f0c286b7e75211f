import type { OperationOptions } from '../../abort.js';
import type { ImageInput } from '../../frames/types.js';
import type { Generation } from '../../package/types.js';
import type { Registry } from '../../registry/registry.js';
import type { SupervisorPolicy } from '../../supervisor/policy.js';
import type { WorkerFlavour } from '../../worker/types.js';

/** Who has to handle a boundary case. */
export type ConformanceParty = 'algorithm' | 'worker' | 'host';

/** Where the version is deployed: a `TemporaryStore`, a `Runner`, or whatever else has an open registry. */
export interface ConformanceStore {
  /** Over the store; it stays the caller's. */
  readonly registry: Registry;
}

/** What a call of the suite brings in place of the ordinary. */
export interface ConformanceCall {
  /** Picture of the call. @defaultValue that of the suite */
  image?: ImageInput;
  /** Parameters of the step (phased generation). */
  userParams?: Record<string, unknown>;
  /** Description of the step (execute-only generation). */
  stepDesc?: string;
}

/** How {@link conformance} calls the version. */
export interface ConformanceOptions extends OperationOptions {
  /** Adapter that runs the algorithm. @defaultValue 'sdk' */
  worker?: WorkerFlavour;
  /** Numbers of the rows that are run; the others are left out of the report. @defaultValue all */
  rows?: readonly number[];
  /**
   * Picture that the algorithm can give a verdict on. Without a verdict the rows on verdicts are skipped.
   * @defaultValue a gradient of 64 x 48 pixels in RGB
   */
  image?: ImageInput;
  /** Step that is called. @defaultValue the first that the version declares, else 1 */
  stepIndex?: number;
  /** Description of the step (execute-only generation). @defaultValue empty */
  stepDesc?: string;
  /** Parameters of each ordinary call. @defaultValue the declared defaults, and a valid value for what is required */
  userParams?: Record<string, unknown>;
  /**
   * A call in which the algorithm runs out of the memory of its GPU (row 14), which nobody but its maker knows.
   * @defaultValue none: row 14 is skipped
   */
  outOfGpuMemory?: ConformanceCall;
  /**
   * Whether a picture of a senseless size, a black picture, a product id that is not supported and a picture without one of
   * its fields must be answered with ERROR, as the specification asks. Otherwise a verdict is enough, and only an exception
   * or a crash is a fault.
   * @defaultValue false
   */
  strict?: boolean;
  /** Policy that the version is run with. @defaultValue that of an `AlgorithmSupervisor` */
  policy?: Partial<SupervisorPolicy>;
}

/** What came of one boundary case. */
export interface ConformanceRow {
  /** In the table of the specification, 1 to 26; 0 is the ordinary call that all others build on. */
  number: number;
  /** The case. */
  title: string;
  /** Who has to handle it. */
  owedBy: readonly ConformanceParty[];
  /** Number of the runner's table that the specification gives to it. */
  errorCode?: string;
  /** `skip`: the case does not exist for this version, or cannot be made here. */
  result: 'pass' | 'fail' | 'skip';
  /** Why it is skipped. */
  reason?: string;
  /** What was seen: of a failure each fault with its remedy. */
  message: string;
}

/** What {@link conformance} found. */
export interface ConformanceReport {
  /** Of the version. */
  name: string;
  version: string;
  /** Of the version. */
  generation: Generation;
  /** Adapter that ran it. */
  worker: WorkerFlavour;
  /** Whether no row failed. */
  passed: boolean;
  /** In the order of the table. */
  rows: ConformanceRow[];
  /** Of the whole suite. */
  durationMs: number;
}
