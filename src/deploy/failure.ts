import {
  asFailure,
  firstFailure,
  RunnerError,
  type RunnerErrorCode,
  type RunnerErrorDetails,
} from '../errors.js';
import { systemCause } from '../store/errno.js';
import { fullDiskRemedy } from '../store/space.js';
import { installRefused } from '../store/store-error.js';
import type { DeployOperation, OperationRef } from './types.js';

/** Codes that speak of the package itself: the same file will fail again. */
const PACKAGE_FAULTS: ReadonlySet<RunnerErrorCode> = new Set<RunnerErrorCode>([
  'invalid_zip',
  'manifest_missing',
  'manifest_invalid',
  'incompatible_python',
  'wheels_missing',
  'install_failed',
  'invalid_pid',
  'contract_violation',
  'execute_exception',
  'unsupported_phase',
]);

/** Stages in which the package had no part yet: its upload, and what an interpreter of the machine lacks. */
const STAGES_BEFORE: ReadonlySet<unknown> = new Set(['receive', 'interpreter']);

/** Whether the package is at fault, rather than the machine, the caller or the moment. */
export function isPackageFault(error: RunnerError): boolean {
  if (systemCause(error) !== undefined || STAGES_BEFORE.has(error.details.stage)) return false;
  return PACKAGE_FAULTS.has(error.code);
}

/** Taking a version away needs a few blocks itself: its journal, and the registry without it. */
const SPACE_REMEDIES: Readonly<Record<DeployOperation, string>> = {
  install: 'free some space, for example with prune()',
  restore: 'free some space, for example with prune()',
  uninstall: 'free a little space outside the store first',
  prune: 'free a little space outside the store first',
};

/**
 * Any failure as a RunnerError. A RunnerError keeps its code. What the system says (`ENOSPC`, `EIO`, `EACCES`…) is
 * `store_failed` with that as its cause; of names in a package that is installed it is `install_failed`. What says neither
 * is a bug of this library.
 */
export function asRunnerError(failure: unknown, ref: OperationRef, stage: string): RunnerError {
  const error = firstFailure(failure);
  if (RunnerError.is(error)) return error;
  const { name, version, operation } = ref;
  const subject = name === undefined ? 'the package' : `${name} ${version ?? ''}`.trim();
  if (!(error instanceof Error) || systemCause(error) === undefined)
    return asFailure(error, `${operation} ${subject} at ${stage}`);
  const remedy = fullDiskRemedy(error, SPACE_REMEDIES[operation]);
  const { details } = error as { details?: RunnerErrorDetails };
  const message = `The ${operation} of ${subject} failed at ${stage}: ${error.message}${remedy}`;
  const facts = { ...details, name, version, stage, path: (error as NodeJS.ErrnoException).path };
  return operation === 'install' || operation === 'restore'
    ? installRefused(error, message, facts)
    : new RunnerError('store_failed', message, { cause: error, details: facts });
}

/**
 * Whether a failed install of a watched folder is reported. A faulty package was already reported as `invalid`. A package
 * that another host installs or has installed is where it should be.
 */
export function isNews(error: unknown): boolean {
  if (!RunnerError.is(error)) return true;
  return !isPackageFault(error) && error.code !== 'already_installed' && error.code !== 'lock_timeout';
}
