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
