import type { RunnerError } from '../../errors.js';
import type { SentImage } from '../../frames/types.js';
import type { GivenValues } from '../../parameters/call-parameters.js';
import type { InspectionRequest, InspectionResult } from '../types.js';

/** Images of one call, complete in shared memory. */
export interface SentImages {
  /** The image that is inspected. */
  image: SentImage;
  /** What it is compared with, if anything. */
  guideImage: SentImage | undefined;
}

/** A result, or why there is none. */
export type CallEnd =
  | {
      /** What came of it. */
      result: InspectionResult;
      /** None. */
      error?: undefined;
    }
  | {
      /** None. */
      result?: undefined;
      /** Why it failed. */
      error: RunnerError;
    };

/** A call on its way, as observers see it. */
export interface ObservedCall {
  phase: 'pre' | 'execute';
  /** What was asked, with the parameters that its version gets: its own defaults filled in. */
  request: InspectionRequest;
  /** Its parameters before that: another version fills in its own. */
  asked: GivenValues;
  /** Of the call, as on the wire. */
  requestId: string;
  /** Package that serves it. */
  name: string;
  /** Version that serves it. */
  version: string;
  /** Its images, in the frames that the worker reads. */
  images: SentImages;
  /** Calls take most of the memory for frames: observers should hold none of it. */
  isShort: boolean;
  /** Calls that went to the worker in one message, this among them; 1 for a call that went by itself. */
  together: number;
  /** How it ended; never rejects. */
  ended: Promise<CallEnd>;
}

/** A call that was made, before it is checked and routed. */
export interface StartedCall {
  /** Which call it is. */
  phase: 'pre' | 'execute';
  /** Product id, where it goes by one. */
  productId: string | undefined;
  /** What was asked, as it was given: it may be anything. */
  request: Partial<InspectionRequest> | undefined;
  /** Of the call, as on the wire. */
  requestId: string;
  /** How it ended, and the version that it was for, as far as it was routed; never rejects. */
  ended: Promise<CallEnd & { name?: string | undefined; version?: string | undefined }>;
}

/** Observes calls without a part in them: see `AlgorithmSupervisor.observe`. */
export interface CallObserver {
  /**
   * A call was made: each, refused calls too. What it returns goes with the call as its `traceparent`; what it throws is
   * left out.
   */
  start?(call: StartedCall): string | undefined;
  /**
   * A call is on its way to its worker. The images stay as they are until the returned promise settles; undefined when
   * the call is of no interest. No call waits for more than this function itself: do the work after it has returned. What
   * it throws is left out.
   */
  offer(call: ObservedCall): Promise<unknown> | undefined;
  /** Ends what is pending: called once, when the observer is removed or the supervisor closed. */
  close(): Promise<void>;
}
