/** Makes contestants of peers: each inspects pictures of one size, all different, in turn. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchContext, Contestant, OpenContestant } from '../harness/case.js';
import { each, median, percentile, timed } from '../harness/statistics.js';
import { checked, picturesOf, type Peer, type SMALL } from './peer.js';

export function contestantsOf(
  peers: readonly Peer[],
  context: BenchContext,
  options: { size: typeof SMALL; workers?: number; pictures?: number },
  round: (calls: readonly (() => Promise<void>)[]) => Promise<Record<string, number>>,
): Record<string, OpenContestant> {
  const { size, workers = 1, pictures: count = 3 } = options;
  const pictures = picturesOf(size, count);
  const open = (peer: Peer) => async (): Promise<Contestant> => {
    await peer.prepare(context);
    const running = await peer.start(context, workers);
    const inspects = await running.load(pictures);
    const calls = inspects.map((inspect, n) => {
      const picture = pictures[n];
      if (!picture) throw new Error('a peer gives one call for each picture');
      return checked(inspect, picture);
    });
    for (let n = 0; n < (context.quick ? 1 : 10); n++) for (const call of calls) await call();
    return { round: () => round(calls), close: running.close };
  };
  return Object.fromEntries(peers.map((peer) => [peer.name, open(peer)]));
}

/** So many calls one after the other: their latency, and the CPU time of this process per call, in milliseconds. */
export async function oneAfterTheOther(
  calls: readonly (() => Promise<void>)[],
  count: number,
): Promise<Record<'p50' | 'p99' | 'hostCpu', number>> {
  const before = cpuMs();
  const samples = await each(count, (n) => calls[n % calls.length]?.());
  return { p50: median(samples), p99: percentile(samples, 0.99), hostCpu: (cpuMs() - before) / count };
}

/** A call each 50 ms: what a station makes. */
const PACE_MS = 50;

/** So many calls at 20 a second: what was warm has gone cold in between. The figures of {@link oneAfterTheOther}, with the 90th of 100. */
export async function twentyASecond(
  calls: readonly (() => Promise<void>)[],
  count: number,
): Promise<Record<'p50' | 'p90' | 'hostCpu', number>> {
  const samples: number[] = [];
  let host = 0;
  for (let n = 0; n < count; n++) {
    const before = cpuMs();
    const took = await timed(() => calls[n % calls.length]?.());
    host += cpuMs() - before;
    samples.push(took);
    await sleep(Math.max(0, PACE_MS - took));
  }
  return { p50: median(samples), p90: percentile(samples, 0.9), hostCpu: host / samples.length };
}

/** CPU time of this process in milliseconds: that of the host, without the workers. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
