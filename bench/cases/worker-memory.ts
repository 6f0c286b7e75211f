/** The worker's memory for pictures, beside one copy into plain memory and the same work in one process. */
import { fileURLToPath } from 'node:url';
import type { BenchCase, BenchContext, Contestant } from '../harness/case.js';
import { numpyPython } from '../peers/environments.js';
import { LARGE } from '../peers/peer.js';
import { LineWorker } from '../peers/processes.js';

const SCRIPT = fileURLToPath(new URL('../support/worker_memory.py', import.meta.url));
const WORKER = 'bundled worker';
const SDK = 'SDK worker';
const PLAIN = 'one copy out of shared memory, and the work';
const WAYS = { [WORKER]: 'worker', [SDK]: 'sdk', [PLAIN]: 'plain' };

function open(context: BenchContext, way: string, work: string) {
  return async (): Promise<Contestant> => {
    const folder = context.library.file('worker/bundled/procvision_bundled_worker');
    const size = [String(LARGE.height), String(LARGE.width)];
    const worker = new LineWorker(await numpyPython(context), [SCRIPT, folder, way, work, ...size]);
    const ask = (rounds: number) => worker.ask((stdin) => stdin.write(`${rounds}\n`));
    await ask(20);
    return {
      round: async () => ({ p50: await ask(context.quick ? 10 : 200) }),
      close: () => worker.process.close(),
    };
  };
}

function large(work: string, what: string, bars: BenchCase['bars']): BenchCase {
  return {
    name: `worker-memory/${work}`,
    measures: `A picture of ${LARGE.width} x ${LARGE.height} is taken in by a worker, and ${what}`,
    figures: { p50: { unit: 'ms' } },
    bars,
    rounds: 9,
    limitSeconds: 600,
    open: (context) =>
      Promise.resolve(
        Object.fromEntries(Object.entries(WAYS).map(([name, way]) => [name, open(context, way, work)])),
      ),
  };
}

const bar = (contestant: string, atMost: number) => ({ figure: 'p50', contestant, over: PLAIN, atMost });

export const cases: BenchCase[] = [
  large('write', 'each value written', [bar(WORKER, 1.3)]),
  large('read', 'a value of every 64 read', [bar(WORKER, 1)]),
  large('part', '64 x 64 pixels of it read', [bar(WORKER, 0.5), bar(SDK, 2)]),
];
