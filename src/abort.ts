import { setMaxListeners } from 'node:events';
import { RunnerError } from './errors.js';

/** Last argument of every asynchronous method. */
export interface OperationOptions {
  /** Aborting rejects the call with an error named `AbortError` and leaves nothing behind. */
  signal?: AbortSignal;
}

/** The error an aborted operation rejects with; the signal's reason is its cause. */
export function abortError(signal: AbortSignal, what = 'operation'): RunnerError {
  return new RunnerError('aborted', `The ${what} was aborted`, { cause: signal.reason });
}

/** Throws {@link abortError} when the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined, what?: string): void {
  if (signal?.aborted) throw abortError(signal, what);
}

/**
 * Calls the listener once when the signal fires. Node takes more than ten listeners of one signal for a leak and says
 * so; a signal that ends many operations has as many, so its limit is lifted.
 */
export function listenForAbort(signal: AbortSignal, listener: (event: Event) => void): void {
  // A signal of another realm or of a polyfill has no such limit.
  if (signal instanceof EventTarget) setMaxListeners(0, signal);
  signal.addEventListener('abort', listener, { once: true });
}

/** Waits for work, or until the signal fires: the work then goes on without the caller, unless `onAbort` ends it. */
export async function settleOrAbort<T>(
  signal: AbortSignal | undefined,
  work: Promise<T>,
  onAbort: () => void = () => undefined,
): Promise<T> {
  let aborted: (() => void) | undefined;
  try {
    return await new Promise<T>((resolve, reject) => {
      // With a signal or without, in as many steps: of two that wait for the same, the first to wait is the first to go on.
      work.then(resolve, reject);
      if (!signal) return;
      aborted = () => {
        onAbort();
        reject(abortError(signal));
      };
      listenForAbort(signal, aborted);
      if (signal.aborted) aborted();
    });
  } finally {
    if (aborted) signal?.removeEventListener('abort', aborted);
  }
}
