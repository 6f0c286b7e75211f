/** What the host adds to a call: in place at the bundled worker, beside the same worker under a host of thirty lines. */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { BenchCase, Contestant } from '../harness/case.js';
import { each } from '../harness/statistics.js';
import { contestantsOf, cpuMs, oneAfterTheOther, twentyASecond } from '../peers/contestants.js';
import { cropStore, oursCopied, oursInPlace, oursSdk, oursUnproven } from '../peers/ours.js';
import { handWrittenFiles } from '../peers/by-hand.js';
import { LARGE, SMALL, type Peer } from '../peers/peer.js';
import { thinHost } from '../peers/thin-host.js';
import type { FirstCallsArguments } from '../support/first-calls.js';

const PEERS: readonly Peer[] = [oursInPlace, oursUnproven, thinHost];
const COPIED: readonly Peer[] = [oursCopied, oursSdk, handWrittenFiles];
const OURS = [oursInPlace.name, oursUnproven.name];
/** Loads TypeScript in a process whose parent does not. */
const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
const FIRST_CALLS = fileURLToPath(new URL('../support/first-calls.ts', import.meta.url));

/** The rounds of one caller, who calls in one of these ways. */
function taken(
  way: typeof oneAfterTheOther | typeof twentyASecond,
  o: { peers: readonly Peer[]; size: typeof SMALL; calls: number; quickCalls: number },
): Pick<BenchCase, 'rounds' | 'limitSeconds' | 'open'> {
  const { peers, size, calls: count, quickCalls } = o;
  return {
    rounds: 9,
    limitSeconds: 600,
    open: (context) =>
      Promise.resolve(
        contestantsOf(peers, context, { size }, (calls) => way(calls, context.quick ? quickCalls : count)),
      ),
  };
}

function single(name: string, size: typeof SMALL): BenchCase {
  return {
    name: `calls/${name}`,
    measures: `One call in place after the other with a picture of ${size.width} x ${size.height}`,
    figures: { p50: { unit: 'ms' }, p99: { unit: 'ms' }, hostCpu: { unit: 'ms' } },
    bars: OURS.map((contestant) => ({ figure: 'p50', contestant, over: thinHost.name, atMost: 1.25 })),
    ...taken(oneAfterTheOther, { peers: PEERS, size, calls: 600, quickCalls: 15 }),
  };
}

function paced(name: string, size: typeof SMALL): BenchCase {
  return {
    name: `calls/20-a-second-${name}`,
    measures: `20 calls a second in place with a picture of ${size.width} x ${size.height}`,
    figures: { p50: { unit: 'ms' }, p90: { unit: 'ms' }, hostCpu: { unit: 'ms' } },
    bars: OURS.map((contestant) => ({ figure: 'p50', contestant, over: thinHost.name, atMost: 1.2 })),
    ...taken(twentyASecond, { peers: PEERS, size, calls: 20, quickCalls: 4 }),
  };
}

/** Calls whose picture is copied: at the bundled worker beside what is written by hand, at the SDK's beside an older build (`--against`). */
function copied(name: string, size: typeof SMALL): BenchCase {
  return {
    name: `calls/copied-${name}`,
    measures: `One call after the other with a picture of ${size.width} x ${size.height} in the request`,
    figures: { p50: { unit: 'ms' }, p99: { unit: 'ms' }, hostCpu: { unit: 'ms' } },
    bars: [{ figure: 'p50', contestant: oursCopied.name, over: handWrittenFiles.name, atMost: 1 }],
    ...taken(oneAfterTheOther, { peers: COPIED, size, calls: 300, quickCalls: 15 }),
  };
}

const fourAtOnce: BenchCase = {
  name: 'calls/four-at-once',
  measures: `Four callers at once at two workers, in place, with pictures of ${SMALL.width} x ${SMALL.height}`,
  figures: { throughput: { unit: 'calls/s', better: 'higher' }, hostCpu: { unit: 'ms' } },
  bars: OURS.map((contestant) => ({
    ...{ figure: 'throughput', contestant, over: thinHost.name, atLeast: 0.85 },
  })),
  rounds: 9,
  limitSeconds: 600,
  open: (context) =>
    Promise.resolve(
      contestantsOf(PEERS, context, { size: SMALL, workers: 2, pictures: 4 }, async (calls) => {
        const count = context.quick ? 5 : 300;
        const [startedAt, before] = [performance.now(), cpuMs()];
        await Promise.all(calls.map((call) => each(count, call)));
        const all = count * calls.length;
        const seconds = (performance.now() - startedAt) / 1_000;
        return { throughput: all / seconds, hostCpu: (cpuMs() - before) / all };
      }),
    ),
};

const firstCalls: BenchCase = {
  name: 'calls/first-200',
  measures: 'The first 200 calls in place of a new process, its worker being ready',
  figures: { time: { unit: 'ms' } },
  bars: OURS.map((contestant) => ({ figure: 'time', contestant, over: thinHost.name, atMost: 1.5 })),
  rounds: 7,
  limitSeconds: 600,
  open: (context) => {
    const open =
      ({ name }: Peer) =>
      async (): Promise<Contestant> => {
        await cropStore(context);
        const { library, quick, folder, cache } = context;
        const given = { name, root: library.root, quick, folder, cache } satisfies FirstCallsArguments;
        const args = ['--import', TSX, FIRST_CALLS, JSON.stringify(given)];
        return {
          round: () => {
            const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
            if (status !== 0) throw new Error(stderr);
            return Promise.resolve({ time: Number(stdout) });
          },
        };
      };
    return Promise.resolve(Object.fromEntries(PEERS.map((peer) => [peer.name, open(peer)])));
  },
};

export const cases: BenchCase[] = [
  single('small', SMALL),
  single('large', LARGE),
  paced('small', SMALL),
  paced('large', LARGE),
  copied('small', SMALL),
  copied('large', LARGE),
  ...[fourAtOnce, firstCalls],
];
