import type { RunnerError } from '../../errors.js';
import type { InspectionResult } from '../types.js';

/** Pixels of 8 bits, row by row without padding. They are the call's own until `record()` has returned: copy them at once. */
export interface KeptImage {
  data: Uint8Array;
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  /** Of a pixel. */
  channels: 1 | 3;
  /** @defaultValue 'RGB' */
  colorSpace?: 'RGB' | 'BGR';
  cameraId?: string;
}

/** What goes with a verdict. */
export interface ResultFacts {
  productId: string;
  stepIndex: number;
  sessionId?: string;
  parameters?: Readonly<Record<string, unknown>>;
  traceId?: string;
  /** When the verdict was given: Unix time in milliseconds. */
  timestampMs: number;
  /** SHA-256 of the package's zip. */
  packageDigest?: string;
  /** SHA-256 of the list of the version's files. */
  environmentRoot?: string;
  version?: string;
  /** What was inspected, where a worker had it. */
  image?: KeptImage;
}

/**
 * What a supervisor gives its verdicts to: an `Outbox` of `procvision-runner/outbox`. No call waits for it, and none fails by it.
 */
export interface ResultOutbox {
  /** Keeps a verdict, or why there is none; resolves when it is durable. */
  record(inspected: InspectionResult | RunnerError, facts: ResultFacts): Promise<unknown>;
  /** Keeps what happened at the station. */
  note(kind: 'health' | 'alarm', data: Readonly<Record<string, unknown>>): Promise<unknown>;
}
