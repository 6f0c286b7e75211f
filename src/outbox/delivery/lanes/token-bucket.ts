import { abortError, listenForAbort } from '../../../abort.js';
import type { Clock } from '../../../supervisor/clock.js';

/** Bounds bytes a second over all uploads together. Those who ask are served in their order, piece by piece. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #bytesPerMs: number;
  /** On the clock: when the bytes that were promised so far have left. */
  #freeAt = -Infinity;

  /** @param bytesPerSecond - undefined for no bound */
  constructor(clock: Clock, bytesPerSecond: number | undefined) {
    this.#clock = clock;
    this.#bytesPerMs = (bytesPerSecond ?? Infinity) / 1_000;
  }

  /** Waits until so many bytes may leave. @throws RunnerError `aborted` */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    const at = Math.max(now, this.#freeAt);
    this.#freeAt = at + bytes / this.#bytesPerMs;
    if (at > now) await waitOn(this.#clock, at - now, signal);
  }
}

/** Waits on a clock. @throws RunnerError `aborted` */
export async function waitOn(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw abortError(signal, 'wait');
  let end: (() => void) | undefined;
  let cancel: (() => void) | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      cancel = clock.after(ms, resolve);
      end = () => {
        reject(abortError(signal, 'wait'));
      };
      listenForAbort(signal, end);
    });
  } finally {
    cancel?.();
    if (end) signal.removeEventListener('abort', end);
  }
}
