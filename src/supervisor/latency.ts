/** Latency of calls: how many, and where the middle and the tail lie. Milliseconds. */
export interface LatencySummary {
  /** Calls ever measured; the percentiles are of the last ones. */
  count: number;
  /** Median in milliseconds; undefined before the first call. */
  p50Ms: number | undefined;
  /** 95th percentile in milliseconds. */
  p95Ms: number | undefined;
  /** 99th percentile in milliseconds. */
  p99Ms: number | undefined;
  /** Longest in milliseconds. */
  maxMs: number | undefined;
}

/** The last samples in a ring: adding is O(1), a summary sorts them when it is asked for. */
export class LatencyWindow {
  readonly #samples: Float64Array;
  #count = 0;

  /** @param size how many samples the percentiles are taken from */
  constructor(size = 512) {
    this.#samples = new Float64Array(size);
  }

  add(ms: number): void {
    this.#samples[this.#count++ % this.#samples.length] = ms;
  }

  /** Forgets everything. */
  clear(): void {
    this.#count = 0;
  }

  /** How many of the window's samples there are. */
  get size(): number {
    return Math.min(this.#count, this.#samples.length);
  }

  /** Nearest-rank percentile of the window, `share` from 0 to 1; undefined before the first sample. */
  percentile(share: number): number | undefined {
    return rank(this.#samples.slice(0, this.size).sort(), share);
  }

  summary(): LatencySummary {
    const sorted = this.#samples.slice(0, this.size).sort();
    return {
      count: this.#count,
      p50Ms: rank(sorted, 0.5),
      p95Ms: rank(sorted, 0.95),
      p99Ms: rank(sorted, 0.99),
      maxMs: sorted.at(-1),
    };
  }
}

function rank(sorted: Float64Array, share: number): number | undefined {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}
