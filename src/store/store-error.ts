import { firstFailure, RunnerError, type RunnerErrorDetails } from '../errors.js';
import { fullDiskRemedy } from './space.js';

/**
 * What the system says about a file of the store (`ENOSPC`, `EIO`, `EACCES`…) as `store_failed`; an error that has a
 * code of ours keeps it.
 */
export function asStoreError(failure: unknown, doing: string): unknown {
  const error = firstFailure(failure);
  if (RunnerError.is(error) || !(error instanceof Error)) return error;
  const { code, path, details } = error as NodeJS.ErrnoException & { details?: RunnerErrorDetails };
  if (code === undefined || !/^E[A-Z0-9]+$/.test(code)) return error;
  const remedy = fullDiskRemedy(error, 'free some space');
  return new RunnerError('store_failed', `Could not ${doing}: ${error.message}${remedy}`, {
    cause: error,
    details: { ...details, ...(path !== undefined && { path }) },
  });
}

/** Runs work on the store's files; what the system refuses rejects as {@link asStoreError} says. */
export async function onStore<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asStoreError(error, doing);
  }
}
