import { RunnerError, type RunnerErrorCode } from '../errors.js';
import { errnoCode } from '../store/errno.js';
import { fullDiskRemedy } from '../store/space.js';
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

/** Whether the package is at fault, rather than the machine, the caller or the moment. */
export function isPackageFault(error: RunnerError): boolean {
  if (systemCause(error) !== undefined || error.details.stage === 'receive') return false;
  return PACKAGE_FAULTS.has(error.code);
}

/** Taking a version away needs a few blocks itself: its journal, and the registry without it. */
const SPACE_REMEDIES: Readonly<Record<DeployOperation, string>> = {
  install: 'free some space, for example with prune()',
  uninstall: 'free a little space outside the store first',
  prune: 'free a little space outside the store first',
};

/**
 * Any failure as a RunnerError. One that has a code keeps it; what the system says (`ENOSPC`, `EIO`, `EACCES`…),
 * also about the registry, becomes `install_failed` with that as its cause.
 */
export function asRunnerError(error: unknown, ref: OperationRef, stage: string): RunnerError {
  if (RunnerError.is(error) && error.code !== 'store_failed') return error;
  const cause = RunnerError.is(error) ? error.cause : error;
  const { name, version, operation } = ref;
  const subject = name === undefined ? 'the package' : `${name} ${version ?? ''}`.trim();
  const remedy = fullDiskRemedy(cause, SPACE_REMEDIES[operation]);
  return new RunnerError(
    'install_failed',
    `The ${operation} of ${subject} failed at ${stage}: ${(cause as Error).message}${remedy}`,
    { cause, details: { name, version, stage, path: (cause as NodeJS.ErrnoException).path } },
  );
}

/** The system's code behind an error, however deep. */
function systemCause(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const code = errnoCode(at);
    if (code !== undefined && /^E[A-Z0-9]+$/.test(code)) return code;
  }
  return undefined;
}
