import { setTimeout as delay } from 'node:timers/promises';

/**
 * Does something again and again until disposed, one run after the other. Polling, not change events: network shares
 * send none, and a watched folder that is removed and made again would be lost.
 */
export class PollingLoop implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  /** `turn` handles its own failures. It is given the signal that ends it. */
  constructor(intervalMs: number, turn: (signal: AbortSignal) => Promise<void>) {
    this.#ended = this.#run(intervalMs, turn);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async #run(intervalMs: number, turn: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await turn(signal);
      await delay(intervalMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
