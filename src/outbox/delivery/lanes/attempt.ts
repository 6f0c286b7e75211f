import type { Clock } from '../../../supervisor/clock.js';
import { listenForAbort } from '../../../abort.js';
import type { Attempt, Outcome } from '../targets/port.js';
import type { TokenBucket } from './token-bucket.js';

/** For a target to end after its signal has fired. A target that does not end is left behind. */
const GRACE_MS = 2_000;

/** What bounds an attempt. */
export interface AttemptBounds {
  /** Of its own time: waits for the limit of bandwidth do not count. */
  limitMs: number;
  clock: Clock;
  bucket: TokenBucket;
  /** Ends it early. */
  signal: AbortSignal;
}

/**
 * Makes an attempt, which ends within its time whatever the other side and the target do: the signal of a target that hangs fires, and it is left
 * behind where it does not. Never rejects.
 */
export async function makeAttempt(
  work: (attempt: Attempt) => Promise<Outcome>,
  { limitMs, clock, bucket, signal }: AttemptBounds,
): Promise<Outcome> {
  const controller = new AbortController();
  let usedMs = 0;
  let since = clock.now();
  let waits = 0;
  let cancel: (() => void) | undefined;
  let leave: ((outcome: Outcome) => void) | undefined;
  const left = new Promise<Outcome>((resolve) => {
    leave = resolve;
  });
  const end = () => {
    if (controller.signal.aborted) return;
    controller.abort(new Error(`not done within ${limitMs} ms`));
    cancel?.();
    cancel = clock.after(GRACE_MS, () => {
      const reason = `The attempt did not end within ${limitMs} ms`;
      leave?.({ state: 'failed', cause: 'network', reason });
    });
  };
  const run = () => {
    since = clock.now();
    cancel = clock.after(Math.max(0, limitMs - usedMs), end);
  };
  const attempt: Attempt = {
    signal: controller.signal,
    async pace(bytes) {
      if (waits++ === 0) {
        usedMs += clock.now() - since;
        if (!controller.signal.aborted) cancel?.();
      }
      try {
        await bucket.take(bytes, controller.signal);
      } finally {
        if (--waits === 0 && !controller.signal.aborted) run();
      }
    },
  };
  run();
  if (signal.aborted) end();
  else listenForAbort(signal, end);
  try {
    return await Promise.race([left, worked(work, attempt)]);
  } finally {
    signal.removeEventListener('abort', end);
    cancel?.();
  }
}

/** A target that throws has a fault of its own: what was sent is not to blame. */
async function worked(work: (attempt: Attempt) => Promise<Outcome>, attempt: Attempt): Promise<Outcome> {
  try {
    return await work(attempt);
  } catch (error) {
    return { state: 'failed', cause: 'platform', reason: (error as Error).message };
  }
}
