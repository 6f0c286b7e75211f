import type { StrayOutput } from './types.js';

/** How much of a run is kept, in bytes, and how many runs a second are passed on. */
const MOST_BYTES = 8192;
const MOST_RUNS_A_SECOND = 100;
/** A run is over when a frame follows, when nothing more came for this long, or when it went on for that long. */
const QUIET_MS = 100;
const LONGEST_MS = 2_000;

/** Who takes what a run has become. */
export interface StrayListeners {
  /** Text that somebody printed, its end cut off where it is long. */
  stray: (text: string, output: StrayOutput) => void;
  /** Four zero bytes alone: a frame of length 0. */
  emptyFrame: () => void;
}

/**
 * Gathers the bytes between two frames, which arrive in pieces as they were written, as one string. Its size and the
 * number of strings per second are bounded, however much is printed.
 */
export class StrayRun {
  readonly #listeners: StrayListeners;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #bytes = 0;
  #startedAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #windowStart = 0;
  #inWindow = 0;
  #dropped = 0;

  constructor(listeners: StrayListeners) {
    this.#listeners = listeners;
  }

  add(bytes: Buffer): void {
    const now = performance.now();
    if (this.#bytes === 0) this.#startedAt = now;
    else if (now - this.#startedAt > LONGEST_MS) this.end();
    this.#bytes += bytes.length;
    if (this.#keptBytes < MOST_BYTES) {
      // Copied: the chunk that it is part of is larger, and goes.
      const part = Buffer.from(bytes.subarray(0, MOST_BYTES - this.#keptBytes));
      this.#kept.push(part);
      this.#keptBytes += part.length;
    }
    if (this.#timer) this.#timer.refresh();
    else
      this.#timer = setTimeout(() => {
        this.end();
      }, QUIET_MS);
  }

  /** The run is over. Nothing is left of it, no timer either. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#bytes === 0) return;
    const kept = Buffer.concat(this.#kept);
    const bytes = this.#bytes;
    this.#kept = [];
    this.#keptBytes = 0;
    this.#bytes = 0;
    if (bytes === 4 && kept.readUInt32BE(0) === 0) {
      this.#listeners.emptyFrame();
      return;
    }
    const now = performance.now();
    if (now - this.#windowStart >= 1000) {
      this.#windowStart = now;
      this.#inWindow = 0;
    }
    if (++this.#inWindow > MOST_RUNS_A_SECOND) {
      this.#dropped++;
      return;
    }
    const text = kept.toString('utf8') + (bytes > kept.length ? '… (cut)' : '');
    const dropped = this.#dropped;
    this.#dropped = 0;
    this.#listeners.stray(text, { bytes, ...(dropped > 0 && { dropped }) });
  }
}
