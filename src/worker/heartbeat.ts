/**
 * Pings an idle worker and tells when no pong comes. Stopped while a call runs: the worker is single-threaded and
 * answers nothing then. Node's timers run on the monotonic clock.
 */
export class Heartbeat {
  readonly #options: { intervalMs: number; graceMs: number; ping: () => void; lost: () => void };
  #timer: NodeJS.Timeout | undefined;

  constructor(options: { intervalMs: number; graceMs: number; ping: () => void; lost: () => void }) {
    this.#options = options;
  }

  /** Starts afresh: the next ping is one interval away. */
  restart(): void {
    const { intervalMs, graceMs, ping, lost } = this.#options;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = setTimeout(lost, graceMs);
      ping();
    }, intervalMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
