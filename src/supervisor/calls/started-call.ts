import type { CallObserver, StartedCall } from './call-observer.js';
import { isTraceparent } from './traceparent.js';

type End = Awaited<StartedCall['ended']>;

/** Tells observers of a call before it is checked; undefined where none of them wants to know. */
export function startCall(
  observers: ReadonlySet<CallObserver>,
  about: Omit<StartedCall, 'ended'>,
): { traceparent: string | undefined; end: (end: End) => void } | undefined {
  let end!: (end: End) => void;
  let call: StartedCall | undefined;
  let traceparent: string | undefined;
  for (const observer of observers) {
    if (!observer.start) continue;
    call ??= { ...about, ended: new Promise((resolve) => (end = resolve)) };
    try {
      const given = observer.start(call);
      if (isTraceparent(given)) traceparent = given;
    } catch {
      // An observer has no part in the call.
    }
  }
  return call && { traceparent, end };
}
