import { abortError } from '../abort.js';

/** Waits for work, or until the signal fires: the work then goes on without the caller, unless `onAbort` ends it. */
export async function settleOrAbort<T>(
  signal: AbortSignal | undefined,
  work: Promise<T>,
  onAbort: () => void = () => undefined,
): Promise<T> {
  if (!signal) return work;
  let aborted: (() => void) | undefined;
  try {
    return await new Promise<T>((resolve, reject) => {
      aborted = () => {
        onAbort();
        reject(abortError(signal));
      };
      signal.addEventListener('abort', aborted, { once: true });
      if (signal.aborted) aborted();
      work.then(resolve, reject);
    });
  } finally {
    if (aborted) signal.removeEventListener('abort', aborted);
  }
}
