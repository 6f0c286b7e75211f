import type { RunnerError } from '../../errors.js';
import type { SentImage } from '../../frames/types.js';
import type { InspectionRequest, InspectionResult } from '../types.js';

/** Images of one call, complete in shared memory. */
export interface SentImages {
  image: SentImage;
  guideImage: SentImage | undefined;
}

/** How a call ended. */
export type CallEnd =
  { result: InspectionResult; error?: undefined } | { result?: undefined; error: RunnerError };

/** A call on its way, for those who look on. */
export interface TappedCall {
  phase: 'pre' | 'execute';
  request: InspectionRequest;
  requestId: string;
  /** Version that serves it. */
  name: string;
  version: string;
  images: SentImages;
  /** Calls take most of the memory for frames: none of it may be held for those who look on. */
  isShort: boolean;
  /** Never rejects. */
  ended: Promise<CallEnd>;
}

/** Looks on at calls without being in their way: what it does is done after this returns. */
export interface CallTap {
  /** The images stay as they are until the answer settles; undefined when this call is of no interest. */
  offer(call: TappedCall): Promise<unknown> | undefined;
}
