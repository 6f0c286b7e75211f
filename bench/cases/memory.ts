/** Memory in the steady state: what twenty thousand calls leave behind, in the host and in the worker. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { readProcessUsage } from '../../src/supervisor/pool/process-usage.js';
import type { WorkerFlavour } from '../../src/worker/types.js';
import { figure, type BenchCase, type BenchResult } from '../harness.js';
import { withStation } from '../support/station.js';

const CALLS = 20_000;
const WARM_UP = 5_000;

interface Memory {
  heap: number;
  outside: number;
  host: number;
  worker: number;
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

function steadyState(flavour: WorkerFlavour): Promise<BenchResult[]> {
  return withStation(['1.0.0'], async ({ supervise }) => {
    const supervisor = supervise({}, flavour);
    await supervisor.start('sample', '1.0.0');
    const target = { name: 'sample', version: '1.0.0' };
    const image = { data: new Uint8Array(640 * 480 * 3).fill(7), width: 640, height: 480 };
    const run = async (calls: number) => {
      for (let call = 0; call < calls; call++) await supervisor.execute({ target, stepIndex: 1, image });
    };
    const look = (): Memory => {
      collectGarbage();
      const { heapUsed, external, rss } = process.memoryUsage();
      const pid = supervisor.status()[0]?.workers[0]?.pid ?? -1;
      return {
        heap: heapUsed,
        outside: external,
        host: rss,
        worker: readProcessUsage(pid)?.rssBytes ?? NaN,
      };
    };
    await run(WARM_UP);
    const before = look();
    await run(CALLS);
    const after = look();
    const grown = (name: string, of: keyof Memory, atMost: number) =>
      figure({
        name: `${CALLS} calls at the ${flavour} worker: ${name} grown`,
        unit: 'KiB',
        samples: [Math.max(0, after[of] - before[of]) / 1024],
        atMost,
      });
    // A few hundred KiB are the tables of the engine: of 20,000 images of 900 KiB, or of one object kept for each
    // call, there would be more.
    return [
      grown('heap', 'heap', 512),
      grown('memory outside the heap', 'outside', 512),
      grown('resident memory of the host', 'host', 8 * 1024),
      grown('resident memory of the worker', 'worker', 1024),
    ];
  });
}

export const cases: BenchCase[] = [
  { name: 'memory: sdk worker', heavy: true, run: () => steadyState('sdk') },
  { name: 'memory: bundled worker', heavy: true, run: () => steadyState('bundled') },
];
