import type { RunnerError } from '../../errors.js';
import type { SentImage } from '../../frames/types.js';
import type { InspectionResult } from '../types.js';

/** A picture in a file format, as an outbox keeps it. */
export interface KeptPicture {
  /** The whole file. */
  encoded: Uint8Array;
  contentType: string;
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  type?: 'ng_image' | 'roi_crop' | 'report';
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
  pictures?: readonly KeptPicture[];
}

/**
 * What a supervisor gives its verdicts to: an `Outbox` of `procvision-runner/outbox`. No call waits for it, and none fails by it.
 */
export interface ResultOutbox {
  /** Keeps a verdict, or why there is none; resolves when it is durable. */
  record(inspected: InspectionResult | RunnerError, facts: ResultFacts): Promise<unknown>;
  /** Keeps what happened at the station. */
  note(kind: 'health' | 'alarm', data: Readonly<Record<string, unknown>>): Promise<unknown>;
  /**
   * Pictures to keep of an inspection, by the outbox's own rules. The pixels are taken before it returns; the frame stays until its promise
   * settles. Absent where the outbox keeps none.
   */
  picturesOf?(
    image: SentImage,
    inspected: InspectionResult | RunnerError,
  ): Promise<readonly KeptPicture[]> | undefined;
}
