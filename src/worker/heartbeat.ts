import { expireAfter } from './expiry.js';

/**
 * Pings an idle worker and tells when no pong comes. Stopped while a call runs: the worker is single-threaded and
 * answers nothing then. Node's timers run on the monotonic clock.
 *
 * One timer serves for all intervals: it is started afresh around every call, and making a new one each time costs
 * more than the rest of the bookkeeping together.
 */
export class Heartbeat {
  readonly #options: { intervalMs: number; graceMs: number; ping: () => void; lost: () => void };
  #interval: NodeJS.Timeout | undefined;
  #cancelGrace: (() => void) | undefined;
  #isBeating = false;

  constructor(options: { intervalMs: number; graceMs: number; ping: () => void; lost: () => void }) {
    this.#options = options;
  }

  /** Starts afresh: the next ping is one interval away. */
  restart(): void {
    this.#endGrace();
    this.#isBeating = true;
    if (this.#interval) this.#interval.refresh();
    else this.#interval = setTimeout(() => this.#onInterval(), this.#options.intervalMs);
  }

  /** No ping until it is restarted. */
  stop(): void {
    this.#endGrace();
    this.#isBeating = false;
  }

  /** Stops for good: no timer is left. */
  end(): void {
    this.stop();
    clearTimeout(this.#interval);
    this.#interval = undefined;
  }

  #onInterval(): void {
    if (!this.#isBeating) return;
    const { graceMs, lost, ping } = this.#options;
    this.#cancelGrace = expireAfter(graceMs, lost);
    ping();
  }

  #endGrace(): void {
    this.#cancelGrace?.();
    this.#cancelGrace = undefined;
  }
}
