import { RunnerError } from '../../errors.js';

/** What an upload is called when nobody said what its file is. */
export const UNNAMED_UPLOAD = 'the upload';

/**
 * A failure that speaks of an upload by the name its sender knows, not by where it lies while it is looked into: that
 * file is gone before anybody could look.
 */
export function namedAsSent(error: unknown, file: string, fileName: string): unknown {
  if (!RunnerError.is(error) || !error.message.includes(file)) return error;
  const { code, cause, details, retryable, errorCode } = error;
  return new RunnerError(code, error.message.replaceAll(file, fileName), {
    ...{ cause, retryable, errorCode },
    details: { ...details, ...(details.path === file && { path: fileName }) },
  });
}

/** Whether a source is a stream of a zip, by its shape: the streams of other libraries are no instances of Node's class. */
export function isUpload(zip: unknown): boolean {
  return typeof zip === 'object' && zip !== null && 'pipe' in zip && 'destroy' in zip;
}
