import type { RunnerError } from '../../errors.js';
import type { InspectionResult } from '../types.js';
import type { CallTrace } from './tracing.js';

/** In place of an answer: no verdict, and why. */
export function failedResult(
  error: RunnerError,
  { requestId, name = '', version = '' }: CallTrace,
  totalMs: number,
): InspectionResult {
  const { message, errorCode } = error;
  return {
    ...{ status: 'ERROR', message, errorCode, data: {}, requestId, worker: -1, attempts: 0 },
    timing: { startMs: 0, queueMs: 0, frameMs: 0, callMs: 0, totalMs },
    ...{ name, version, warnings: [], error },
  };
}
