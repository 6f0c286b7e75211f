import type { WorkerCall } from '../../worker/types.js';
import type { ObservedCall } from './call-observer.js';

/** What a worker is asked for a request. A call without a session is a session of its own, named by `requestId`. */
export function workerCallOf(
  { phase, request, images }: Pick<ObservedCall, 'phase' | 'request' | 'images'>,
  requestId: string,
): WorkerCall {
  const { stepIndex, stepDesc, productId, session, userParams, guideInfo, traceparent } = request;
  return {
    ...{ phase, stepIndex, stepDesc, productId, userParams, guideInfo, traceparent },
    session: { id: session?.id ?? requestId, context: session?.context ?? {} },
    ...images,
  };
}
