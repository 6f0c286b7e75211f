import { tracingChannel, type TracingChannel } from 'node:diagnostics_channel';

/** Name of the tracing channel: subscribe to `tracing:procvision-runner.call:start`, `…:asyncEnd`, `…:error`. */
export const CALL_CHANNEL = 'procvision-runner.call';

/** What subscribers of the channel are handed; the same object in every event of one call. */
export interface CallTrace {
  requestId: string;
  phase: 'pre' | 'execute';
  /** Product id, where it goes by one. */
  productId: string | undefined;
  /** Old name of `productId`. @deprecated use `productId`: it stays for one minor version */
  pid: string | undefined;
  /** Package that answers, once routed. */
  name?: string;
  /** As `name`. */
  version?: string;
  /** Index of the worker in its pool. */
  worker?: number;
  /** How often it was tried. */
  attempts?: number;
  /** Set by Node when the call ends. */
  result?: unknown;
  /** Set by Node when the call fails. */
  error?: unknown;
}

let channel: TracingChannel<unknown, CallTrace> | undefined;

/** The tracing channel of calls; undefined when nobody listens. */
export function watchedChannel(): TracingChannel<unknown, CallTrace> | undefined {
  // Made when first needed: importing the library is to do nothing.
  channel ??= tracingChannel<unknown, CallTrace>(CALL_CHANNEL);
  const { start, end, asyncStart, asyncEnd, error } = channel;
  const isWatched =
    start.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    error.hasSubscribers;
  return isWatched ? channel : undefined;
}
