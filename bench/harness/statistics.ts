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

/** Wall time of each of so many calls, one after the other, in milliseconds. */
export async function each(count: number, call: (n: number) => unknown): Promise<number[]> {
  const samples: number[] = [];
  for (let n = 0; n < count; n++) samples.push(await timed(() => call(n)));
  return samples;
}
