import { RunnerError } from '../errors.js';

/** The pool is closed. */
export function closedError(): RunnerError {
  return new RunnerError('closed', 'The frame pool was closed');
}
