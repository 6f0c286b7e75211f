import { abortError } from '../abort.js';

/** Waits for work, or until the signal fires: the work then goes on without the caller, unless `onAbort` ends it. */
export async function settleOrAbort<T>(
  signal: AbortSignal | undefined,
  work: Promise<T>,
  onAbort: () => void = () => undefined,
): Promise<T> {
  let aborted: (() => void) | undefined;
  try {
    return await new Promise<T>((resolve, reject) => {
      // With a signal or without, in as many steps: of two that wait for the same, the first to wait is the first to go on.
      work.then(resolve, reject);
      if (!signal) return;
      aborted = () => {
        onAbort();
        reject(abortError(signal));
      };
      signal.addEventListener('abort', aborted, { once: true });
      if (signal.aborted) aborted();
    });
  } finally {
    if (aborted) signal?.removeEventListener('abort', aborted);
  }
}
