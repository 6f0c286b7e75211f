import type { OperationOptions } from '../../abort.js';
import { asFailure, RunnerError } from '../../errors.js';
import { isOutOfSpace } from '../../store/reserve.js';
import { asStoreError } from '../../store/store-error.js';
import type { SkippedRecovery } from '../types.js';

/** How to recover. */
export interface RecoveryOptions extends OperationOptions {
  /** Change nothing: say what would be done. */
  dryRun?: boolean;
  /** Reject on a full disk, so that the caller can make room and try again. */
  failsWhenFull?: boolean;
}

/** Tries one part of a recovery, about what lies at `path`; undefined when it failed and was noted. */
export type Attempt = <T>(path: string, work: () => Promise<T>) => Promise<T | undefined>;

/** Makes attempts whose failures are noted in `skipped`: what cannot be put right does not keep the rest from it. */
export function attempts(
  skipped: SkippedRecovery[],
  { failsWhenFull = false, signal }: RecoveryOptions,
): Attempt {
  return async (path, work) => {
    try {
      return await work();
    } catch (failure) {
      const error = asFailure(asStoreError(failure, `put right ${path}`), `put right ${path}`);
      const isEnding = RunnerError.is(error, 'closed') || signal?.aborted === true;
      if (isEnding || (failsWhenFull && isOutOfSpace(error))) throw error;
      skipped.push({ path, error });
      return undefined;
    }
  };
}
