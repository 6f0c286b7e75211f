import type { OperationOptions } from '../abort.js';
import type { RunnerErrorCode } from '../errors.js';
import type { EncodedMeta } from '../frames/types.js';
import type { VersionRef } from '../package/types.js';
import type { InspectCallOptions } from '../runner/types.js';
import type { LatencySummary } from '../supervisor/latency.js';
import type { SequentialDecision, SequentialTestOptions } from '../supervisor/switching/sequential-test.js';
import type { InspectionResult } from '../supervisor/types.js';

/** What a picture is labelled with. */
export type Label = 'OK' | 'NG';

/** What a version says of a picture: its verdict; `ERROR` of the algorithm; `none`, an answer without a verdict; or `failed`, no answer. */
export type AcceptanceVerdict = Label | 'ERROR' | 'none' | 'failed';

/** Options of {@link acceptance}. */
export interface AcceptanceOptions
  extends
    OperationOptions,
    Partial<SequentialTestOptions>,
    Pick<InspectCallOptions, 'stepIndex' | 'userParams' | 'guideImage' | 'timeoutMs'>,
    Pick<EncodedMeta, 'orientation' | 'toEightBits' | 'decode'> {
  /** The version that is to be accepted. It need not be active. */
  target: VersionRef;
  /** A version to compare with: it gets the same pictures, and what differs is in `changed`. @defaultValue none */
  against?: VersionRef;
  /** Product id that the algorithm gets. @defaultValue the first that the version supports, else its name */
  productId?: string;
  /** Inspect no further picture once the test has decided: quicker, and the table counts fewer. @defaultValue false */
  stopWhenDecided?: boolean;
  /** Seed of the random order of the pictures, a whole number from 1: the same seed gives the same order. @defaultValue 1 */
  seed?: number;
  /** File for a report in HTML with pictures and boxes, complete in itself. @defaultValue none */
  report?: string;
  /** Called after each picture. */
  onProgress?: (progress: AcceptanceProgress) => void;
}

/** How far an acceptance is. */
export interface AcceptanceProgress {
  /** Pictures done. */
  done: number;
  /** Pictures there are. */
  total: number;
  /** The picture that was done last, as in {@link InspectedPicture.file}. */
  file: string;
  /** Where the test stands. */
  decision: SequentialDecision;
}

/** What a version answered for a picture. */
export interface PictureAnswer {
  verdict: AcceptanceVerdict;
  /** Milliseconds from the request to the result, without the start of a worker; undefined without an answer. */
  timeMs?: number;
  /** The whole answer. */
  result?: InspectionResult;
  /** Why there is none. */
  error?: {
    /** Which failure. */
    code: RunnerErrorCode;
    /** What is wrong, for people. */
    message: string;
  };
}

/** One picture and what came of it. */
export interface InspectedPicture extends PictureAnswer {
  /** Relative to the folder, with `/` between its parts. */
  file: string;
  /** What it is labelled with. */
  expected: Label;
  /** Whether the verdict is what was expected. */
  isRight: boolean;
  /** The answer of the version it is compared with. */
  against?: PictureAnswer & {
    /** Whether its verdict is what was expected. */
    isRight: boolean;
  };
}

/** Pictures by what was expected (rows) and by the verdict (columns). */
export type ConfusionTable = Record<Label, Record<AcceptanceVerdict, number>>;

/** What a version came to over all pictures. */
export interface AcceptanceSummary extends VersionRef {
  /** Pictures by expectation and verdict. */
  confusion: ConfusionTable;
  /** Pictures with another verdict than expected. */
  wrong: number;
  /** NG pictures that were passed as OK. */
  escapes: number;
  /** OK pictures that were refused as NG. */
  falseRejects: number;
  /** Milliseconds of its answers, as {@link PictureAnswer.timeMs}. */
  times: LatencySummary;
}

/** What {@link acceptance} found. */
export interface AcceptanceReport {
  /** `accepted`, `rejected`, or `undecided` where the pictures did not suffice. */
  decision: SequentialDecision;
  /** Pictures until the decision; undefined without one. */
  decidedAfter: number | undefined;
  /** Further pictures, all with the right verdict, that would lead to acceptance; 0 after a decision. */
  missing: number;
  /** What the test decided between. */
  test: SequentialTestOptions;
  /** Folder or list of the pictures. */
  folder: string;
  /** Seed of their order. */
  seed: number;
  /** Product id that was sent to the algorithm. */
  productId: string;
  /** The version that was to be accepted. */
  target: AcceptanceSummary;
  /** The version it was compared with. */
  against: AcceptanceSummary | undefined;
  /** Pictures in the order in which they were inspected. */
  pictures: InspectedPicture[];
  /** Those of them on which the two versions do not agree. */
  changed: InspectedPicture[];
  /** Pictures that could not be read, which are no version's fault and count nowhere. */
  unreadable: {
    /** Relative to the folder. */
    file: string;
    /** Why it cannot be read. */
    message: string;
  }[];
  /** Files that were left out because of their ending, relative to the folder. */
  ignored: string[];
  /** Path of the report in HTML. */
  report: string | undefined;
}

/** Options of {@link annotatedPicture}. */
export interface AnnotateOptions extends OperationOptions {
  /** Pixels of the longer side, at most: a larger picture is made smaller. @defaultValue its own size */
  maxSide?: number;
}
