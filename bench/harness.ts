import os from 'node:os';

/** One measured figure: ours against a comparator, or against a plain limit. */
export interface BenchResult {
  name: string;
  /** Median of our samples. */
  value: number;
  unit: string;
  /** What it is compared with: the comparator's name, or the limit. */
  comparator: string;
  /** `value` over the comparator's median (below 1 is less time); undefined for a figure with a plain limit. */
  ratio?: number;
  /** Goal as written, for example `<= 0.25 x`. */
  goal: string;
  pass: boolean;
  samples: { ours: number[]; comparator?: number[] };
}

/** A named case; it may give several figures. Heavy ones run only when named. */
export interface BenchCase {
  name: string;
  heavy?: boolean;
  run: () => Promise<BenchResult[]>;
}

/** Runs ours and the comparator in turn, so that a noisy moment hits both, after one warm-up of each. */
export async function compare(options: {
  name: string;
  unit?: string;
  comparator: string;
  /** Each returns its own measurement; undefined means wall time of the call in ms. */
  ours: () => Promise<number | undefined>;
  theirs: () => Promise<number | undefined>;
  rounds?: number;
  warmUp?: boolean;
  /** Our median may be at most this many times the comparator's… */
  atMost?: number;
  /** …or must be at least this many times (throughput). */
  atLeast?: number;
}): Promise<BenchResult> {
  const { name, unit = 'ms', rounds = 5, warmUp = true } = options;
  const ours: number[] = [];
  const theirs: number[] = [];
  if (warmUp) {
    await options.ours();
    await options.theirs();
  }
  for (let round = 0; round < rounds; round++) {
    ours.push(await timed(options.ours));
    theirs.push(await timed(options.theirs));
  }
  const value = median(ours);
  const ratio = value / median(theirs);
  const { atMost, atLeast } = options;
  return {
    name,
    value,
    unit,
    comparator: options.comparator,
    ratio,
    goal: atLeast === undefined ? `<= ${atMost ?? 1} x` : `>= ${atLeast} x`,
    pass: atLeast === undefined ? ratio <= (atMost ?? 1) : ratio >= atLeast,
    samples: { ours, comparator: theirs },
  };
}

/** A figure held against a plain limit, where no comparator makes sense (an absolute promise such as memory). */
export function figure(options: {
  name: string;
  unit: string;
  samples: number[];
  atMost: number;
  value?: number;
}): BenchResult {
  const value = options.value ?? median(options.samples);
  return {
    name: options.name,
    value,
    unit: options.unit,
    comparator: 'limit',
    goal: `<= ${options.atMost} ${options.unit}`,
    pass: value <= options.atMost,
    samples: { ours: options.samples },
  };
}

/** Middle value; of an even number of samples the mean of the middle two. */
export function median(samples: readonly number[]): number {
  return percentile(samples, 0.5);
}

/** Linear interpolation between the closest ranks. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const position = share * (sorted.length - 1);
  const below = sorted[Math.floor(position)] ?? NaN;
  const above = sorted[Math.ceil(position)] ?? NaN;
  return below + (above - below) * (position - Math.floor(position));
}

/** The machine the figures were taken on. */
export function machine(): string {
  const cpu = os.cpus()[0]?.model ?? 'unknown CPU';
  return `${os.platform()} ${os.arch()}, ${os.cpus().length} x ${cpu}, Node ${process.versions.node}`;
}

async function timed(work: () => Promise<number | undefined>): Promise<number> {
  const startedAt = performance.now();
  const measured = await work();
  return measured ?? performance.now() - startedAt;
}
