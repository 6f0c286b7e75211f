import { runAfter } from '../shared-timer.js';
import type { RunAfter } from './types.js';

/**
 * Pings an idle worker and tells when no pong comes. Stopped while a call runs: the worker is single-threaded and
 * answers nothing then. Node's timers run on the monotonic clock.
 *
 * One timer serves for all intervals, and is not touched when they begin afresh, which is around every call: when it ends, it goes
 * on for what is left of the interval.
 */
export class Heartbeat {
  readonly #options: { intervalMs: number; graceMs: number; ping: () => void; lost: () => void };
  #interval: NodeJS.Timeout | undefined;
  #cancelGrace: (() => void) | undefined;
  #isBeating = false;
  /** When the interval began. */
  #since = 0;

  constructor(options: { intervalMs: number; graceMs: number; ping: () => void; lost: () => void }) {
    this.#options = options;
  }

  /** Starts afresh: the next ping is one interval away. */
  restart(): void {
    this.#endGrace();
    this.#isBeating = true;
    this.#since = performance.now();
    if (!this.#interval) this.#startTimer(this.#options.intervalMs);
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

  #startTimer(delayMs: number): void {
    this.#interval = setTimeout(() => {
      this.#interval = undefined;
      this.#onInterval();
    }, delayMs);
  }

  #onInterval(): void {
    if (!this.#isBeating) return;
    const { intervalMs, graceMs, lost, ping } = this.#options;
    const leftMs = this.#since + intervalMs - performance.now();
    if (leftMs > 0) {
      this.#startTimer(leftMs);
      return;
    }
    this.#cancelGrace = expireAfter(graceMs, lost);
    ping();
  }

  #endGrace(): void {
    this.#cancelGrace?.();
    this.#cancelGrace = undefined;
  }
}

/** Pings that were sent and not answered yet. */
export class Pings {
  readonly #open = new Map<string, (() => void) | undefined>();
  #sent = 0;

  /** Id of a new ping; `onPong` is called when it is answered. */
  open(onPong?: () => void): string {
    const id = `ping-${++this.#sent}`;
    this.#open.set(id, onPong);
    return id;
  }

  /** Sends a ping and waits for its pong; gives the time between, in ms. Past `limitMs` it rejects with `late()`. */
  async roundTrip(limitMs: number, send: (id: string) => void, late: () => Error): Promise<number> {
    const sentAt = performance.now();
    await new Promise<void>((resolve, reject) => {
      const cancel = expireAfter(limitMs, () => {
        reject(late());
      });
      send(
        this.open(() => {
          cancel();
          resolve();
        }),
      );
    });
    return performance.now() - sentAt;
  }

  /** A pong came; false when no open ping has this id. Pings before it were passed over and are forgotten. */
  settle(id: string | undefined): boolean {
    if (id === undefined || !this.#open.has(id)) return false;
    for (const [open, onPong] of this.#open) {
      this.#open.delete(open);
      if (open === id) {
        onPong?.();
        break;
      }
    }
    return true;
  }
}

/**
 * Runs something when a limit has passed; the answer cancels it. A host that was held up for that long finds its timers
 * first and its pipes second: an answer that came in time must not count as late, so the pipes are read once in between.
 */
export function expireAfter(limitMs: number, run: () => void, after: RunAfter = runAfter): () => void {
  let immediate: NodeJS.Immediate | undefined;
  const cancel = after(limitMs, () => {
    immediate = setImmediate(run);
  });
  return () => {
    cancel();
    if (immediate) clearImmediate(immediate);
  };
}
