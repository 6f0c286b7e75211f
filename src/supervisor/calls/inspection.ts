import type { WorkerCall } from '../../worker/types.js';
import type { GivenValues } from '../../parameters/call-parameters.js';
import type { Deadline } from '../clock.js';
import type { CallTurn } from '../pool/worker-pool.js';
import type { InspectionRequest } from '../types.js';
import type { GroupPlace } from './call-group.js';
import type { ObservedCall } from './call-observer.js';
import type { HandedImages } from './handed-images.js';

/** One inspection on its way. */
export interface Inspection {
  phase: 'pre' | 'execute';
  /** With its guide, where its version demands one, and with the defaults of its version for parameters. */
  request: InspectionRequest;
  /** Its parameters without those defaults. */
  asked: GivenValues;
  /** For the result. */
  warnings: string[];
  requestId: string;
  deadline: Deadline;
  startedAt: number;
  /** Its place in the line of its deployment; it leaves it at its end. */
  turn: CallTurn;
  /** How long it has waited for the deployment to be ready. @defaultValue 0 */
  startMs?: number;
  /** Only this worker will do, and nobody looks on: a warm-up. */
  only?: number;
  /** At a canary, from where it may go on to the version that is mapped, or come from there: keeps its images for both. */
  handed?: HandedImages;
  /** At a canary, whose failure the version that is mapped makes up for: no second attempt here. */
  isOnce?: boolean;
  /** In a message that it shares with others; its `turn` is for when it has to go alone. */
  place?: GroupPlace;
}

/** What several calls find where they go. */
export interface Standing {
  workers: number;
  /** Whether a worker takes several calls in one message. */
  takesMany: boolean;
  /** How many calls may wait for a worker. */
  mostWaiting: number;
}

/** What a worker is asked for a request. A call without a session is a session of its own, named by `requestId`. */
export function workerCallOf(
  { phase, request, images }: Pick<ObservedCall, 'phase' | 'request' | 'images'>,
  requestId: string,
): WorkerCall {
  const { stepIndex, stepDesc, productId, session, userParams, guideInfo, traceparent } = request;
  const { image, guideImage } = images;
  // Each by its name: what is spread is copied one by one.
  return {
    session: { id: session?.id ?? requestId, context: session?.context ?? {} },
    phase,
    stepIndex,
    stepDesc,
    productId,
    userParams,
    guideInfo,
    traceparent,
    image,
    guideImage,
  };
}

/** Product ids take turns. */
export function laneOf({ productId }: InspectionRequest): string {
  return productId ?? '';
}

/**
 * Whose images are written one after the other, so that calls come to the workers in the order in which they were made,
 * however large the image of the first. A frame that was leased has its room already: what waits for room must not be in
 * its way, for it may be this very frame's that it waits for.
 *
 * @param needsGuide - a call without a guide image gets a registered guide, and copied in
 */
export function orderOf({ image, guideImage }: InspectionRequest, needsGuide: boolean): 'leased' | 'copied' {
  const isAlone = guideImage === undefined ? !needsGuide : guideImage === 'same';
  const isLeased =
    'pixels' in image && (isAlone || (typeof guideImage === 'object' && 'pixels' in guideImage));
  return isLeased ? 'leased' : 'copied';
}
