/** The library beside others that do the same work: the mean of a part of a picture, asked for from Node. */
import type { BenchCase, Contestant } from '../harness/case.js';
import { each, percentile } from '../harness/statistics.js';
import { handWrittenFiles, rawPipe } from '../peers/by-hand.js';
import { contestantsOf, oneAfterTheOther, twentyASecond } from '../peers/contestants.js';
import { fastApi } from '../peers/fastapi.js';
import { oursCopied, oursInPlace, oursSdk } from '../peers/ours.js';
import { checked, LARGE, picturesOf, SMALL, type Peer } from '../peers/peer.js';
import { pythonShell } from '../peers/python-shell.js';
import { ringCopied, ringInPlace } from '../peers/ring.js';
import { thinHost } from '../peers/thin-host.js';
import { triton } from '../peers/triton.js';

const PEERS: readonly Peer[] = [
  ...[oursInPlace, oursCopied, oursSdk],
  ...[ringInPlace, ringCopied, thinHost, handWrittenFiles, rawPipe, pythonShell, fastApi, triton],
];

function singleCalls(name: string, size: typeof SMALL, most: number): BenchCase {
  const first = { contestant: oursInPlace.name, figure: 'p50' };
  return {
    name: `peers/call-${name}`,
    measures: `One call after the other with a picture of ${size.width} x ${size.height}`,
    figures: { p50: { unit: 'ms' }, p99: { unit: 'ms' }, hostCpu: { unit: 'ms' } },
    bars: [
      { ...first, over: thinHost.name, atMost: 1.5 },
      { ...first, over: handWrittenFiles.name, atMost: 1 },
      { ...first, over: triton.name, atMost: 1 },
    ],
    rounds: 7,
    limitSeconds: 600,
    open: (context) =>
      Promise.resolve(
        contestantsOf(PEERS, context, { size }, (calls) =>
          oneAfterTheOther(calls, context.quick ? 15 : most),
        ),
      ),
  };
}

const paced: BenchCase = {
  name: 'peers/paced',
  measures: `20 calls a second with a picture of ${LARGE.width} x ${LARGE.height}: what was warm has gone cold in between`,
  figures: { p50: { unit: 'ms' }, p90: { unit: 'ms' }, hostCpu: { unit: 'ms' } },
  bars: [{ figure: 'p50', contestant: oursInPlace.name, over: handWrittenFiles.name, atMost: 1 }],
  rounds: 5,
  limitSeconds: 600,
  open: (context) =>
    Promise.resolve(
      contestantsOf(PEERS, context, { size: LARGE }, (calls) => twentyASecond(calls, context.quick ? 4 : 20)),
    ),
};

const parallel: BenchCase = {
  name: 'peers/parallel',
  measures: `Four callers at once at two workers with pictures of ${LARGE.width} x ${LARGE.height}`,
  figures: { throughput: { unit: 'calls/s', better: 'higher' }, p99: { unit: 'ms' } },
  bars: [
    { figure: 'throughput', contestant: oursInPlace.name, over: handWrittenFiles.name, atLeast: 1 },
    { figure: 'throughput', contestant: oursInPlace.name, over: triton.name, atLeast: 1 },
  ],
  limitSeconds: 600,
  open: (context) =>
    Promise.resolve(
      contestantsOf(PEERS, context, { size: LARGE, workers: 2, pictures: 4 }, async (calls) => {
        const count = context.quick ? 5 : 100;
        const startedAt = performance.now();
        const samples = await Promise.all(calls.map((call) => each(count, call)));
        const seconds = (performance.now() - startedAt) / 1_000;
        return { throughput: (count * calls.length) / seconds, p99: percentile(samples.flat(), 0.99) };
      }),
    ),
};

const coldStart: BenchCase = {
  name: 'peers/cold-start',
  measures: 'From the start of one worker to its first answer, all being installed',
  figures: { time: { unit: 'ms' } },
  bars: [
    { figure: 'time', contestant: oursCopied.name, over: rawPipe.name, atMost: 1.5 },
    { figure: 'time', contestant: oursCopied.name, over: triton.name, atMost: 1 },
  ],
  limitSeconds: 600,
  open: (context) => {
    const [picture] = picturesOf(SMALL, 1);
    if (!picture) throw new Error('there is no picture');
    const open = (peer: Peer) => async (): Promise<Contestant> => {
      await peer.prepare(context);
      return {
        round: async () => {
          const startedAt = performance.now();
          const running = await peer.start(context, 1);
          const [inspect] = await running.load([picture]);
          if (inspect) await checked(inspect, picture)();
          const time = performance.now() - startedAt;
          await running.close();
          return { time };
        },
      };
    };
    return Promise.resolve(Object.fromEntries(PEERS.map((peer) => [peer.name, open(peer)])));
  },
};

export const cases: BenchCase[] = [
  singleCalls('small', SMALL, 300),
  singleCalls('large', LARGE, 150),
  ...[paced, parallel, coldStart],
];
