import type { CallObserver, StartedCall } from './call-observer.js';

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
      traceparent = observer.start(call) ?? traceparent;
    } catch {
      // An observer has no part in the call.
    }
  }
  return call && { traceparent, end };
}
