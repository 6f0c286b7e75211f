import {
  ERROR_NUMBERS,
  firstFailure,
  RunnerError,
  type RunnerErrorDetails,
  type RunnerErrorFacts,
} from '../errors.js';
import { systemCause } from './errno.js';
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

/** What the system says of the names in a package: the same files would be refused anywhere. */
const OF_NAMES: ReadonlySet<string> = new Set([
  ...['ENAMETOOLONG', 'ELOOP', 'EILSEQ', 'EINVAL'],
  ...['ENOTDIR', 'EISDIR', 'EEXIST', 'ENOTEMPTY'],
]);

/**
 * What the system refused while a package was installed: a disk that is full, read-only or failing, a right or a limit is
 * the station's (`store_failed`), a name that cannot be is the package's (`install_failed`). The number is that of a failed
 * install, also where the station is at fault.
 */
export function installRefused(cause: Error, message: string, details: RunnerErrorFacts): RunnerError {
  const code = OF_NAMES.has(systemCause(cause) ?? '') ? 'install_failed' : 'store_failed';
  return new RunnerError(code, message, { cause, details, errorCode: ERROR_NUMBERS.install_failed });
}

/** As {@link asStoreError}, of an environment that is made or installed into. */
export function asInstallError(failure: unknown, doing: string): unknown {
  const refusal = asStoreError(failure, doing);
  if (!RunnerError.is(refusal, 'store_failed') || refusal === failure) return refusal;
  return installRefused(refusal.cause as Error, refusal.message, refusal.details);
}

/** Runs work on the store's files; what the system refuses rejects as {@link asStoreError} says. */
export async function onStore<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asStoreError(error, doing);
  }
}
