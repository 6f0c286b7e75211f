import type { Clock } from '../../../supervisor/clock.js';

/** Waits that others can end: nothing that happens between a look and its wait is missed. */
export class Wake {
  #isAwake = false;
  #resolve: (() => void) | undefined;

  /** Ends the wait, or the next one. */
  wake(): void {
    this.#isAwake = true;
    this.#resolve?.();
  }

  /** Forgets what was told so far: call it before the look. */
  arm(): void {
    this.#isAwake = false;
  }

  /** Resolves at the first word since {@link Wake.arm}, or after a time. */
  async wait(clock: Clock, ms = Infinity): Promise<void> {
    if (this.#isAwake) return;
    let cancel: (() => void) | undefined;
    await new Promise<void>((resolve) => {
      this.#resolve = resolve;
      if (ms !== Infinity) cancel = clock.after(Math.max(0, ms), resolve);
    });
    this.#resolve = undefined;
    cancel?.();
  }
}
