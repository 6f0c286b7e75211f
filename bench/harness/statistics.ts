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

/** Wall time in milliseconds. */
export async function timed(work: () => unknown): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/**
 * What `other` costs more than `base`, in milliseconds: they take turns, each first as often as second, as what comes second
 * finds caches filled, and as the difference is smaller than what a minute does to the machine.
 */
export async function pairedCost(
  base: () => unknown,
  other: () => unknown,
  pairs: number,
): Promise<{ base: number; cost: number }> {
  const bases: number[] = [];
  const costs: number[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const isBaseFirst = pair % 2 === 0;
    const first = await timed(isBaseFirst ? base : other);
    const second = await timed(isBaseFirst ? other : base);
    bases.push(isBaseFirst ? first : second);
    costs.push(isBaseFirst ? second - first : first - second);
  }
  return { base: median(bases), cost: median(costs) };
}

/** Wall time of each of so many calls, one after the other, in milliseconds. */
export async function each(count: number, call: (n: number) => unknown): Promise<number[]> {
  const samples: number[] = [];
  for (let n = 0; n < count; n++) samples.push(await timed(() => call(n)));
  return samples;
}
