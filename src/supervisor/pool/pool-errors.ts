import { asFailure, RunnerError } from '../../errors.js';
import { systemCause } from '../../store/errno.js';

/** Calls are refused, and workers not started, until a cool-down is over. */
export function circuitOpen(title: string, cause: RunnerError | undefined): RunnerError {
  return new RunnerError(
    'circuit_open',
    `${title} failed too often and is not started for now${cause ? `; the last failure: ${cause.message}` : ''}. ` +
      'It is tried again by itself after the cool-down; resetCircuit() or start() tries at once',
    { cause, details: { output: cause?.details.output } },
  );
}

/** The workers are being ended, or have been. */
export function stopped(title: string): RunnerError {
  return new RunnerError('closed', `${title} was stopped`);
}

/** Why workers could not be started, when it is no failure that has a code: what the system says, or a bug of ours. */
export function startFailure(title: string, error: unknown): RunnerError {
  if (RunnerError.is(error) || systemCause(error) === undefined) return asFailure(error, `start ${title}`);
  return new RunnerError('start_failed', `${title} could not be started: ${(error as Error).message}`, {
    cause: error,
  });
}
