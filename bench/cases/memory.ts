/** Memory in the steady state: what twenty thousand calls leave behind, in the host and in the worker. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { WorkerFlavour } from '../../src/index.js';
import { Unavailable, type BenchCase } from '../harness/case.js';
import { memoryOf } from '../support/processes.js';
import { openStation, SAMPLE } from '../support/station.js';

const IMAGE = { data: new Uint8Array(640 * 480 * 3).fill(7), width: 640, height: 480 };

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

function steadyState(flavour: WorkerFlavour): BenchCase {
  const contestant = `ours, ${flavour} worker`;
  const at = { contestant };
  return {
    name: `memory/${flavour}`,
    measures: 'What 20,000 calls of 640 x 480 leave behind after 5,000 that warm up',
    figures: {
      heap: { unit: 'KiB' },
      outside: { unit: 'KiB' },
      host: { unit: 'KiB' },
      worker: { unit: 'KiB' },
    },
    // A few hundred KiB are the tables of the engine: of 20,000 images of 900 KiB, or of one object kept for each
    // call, there would be more.
    bars: [
      { ...at, figure: 'heap', atMost: 512 },
      { ...at, figure: 'outside', atMost: 512 },
      { ...at, figure: 'host', atMost: 8 * 1_024 },
      { ...at, figure: 'worker', atMost: 1_024 },
    ],
    rounds: 1,
    warmUp: false,
    limitSeconds: 300,
    async open(context) {
      const { supervise } = await openStation(context);
      return {
        [contestant]: async () => {
          const supervisor = supervise({}, flavour);
          await supervisor.start('sample', '1.0.0');
          const run = async (calls: number) => {
            for (let call = 0; call < calls; call++) {
              await supervisor.execute({ target: SAMPLE, stepIndex: 1, image: IMAGE });
            }
          };
          const look = () => {
            collectGarbage();
            const { heapUsed, external, rss } = process.memoryUsage();
            const pid = supervisor.status()[0]?.workers[0]?.pid ?? -1;
            const worker = memoryOf([pid]);
            if (!worker) throw new Unavailable('The system does not give the memory of a process');
            return { heap: heapUsed, outside: external, host: rss, worker: worker.rssMiB * 2 ** 20 };
          };
          return {
            round: async () => {
              await run(context.quick ? 500 : 5_000);
              const before = look();
              await run(context.quick ? 1_000 : 20_000);
              const after = look();
              const grown = (of: keyof typeof after) => Math.max(0, after[of] - before[of]) / 1_024;
              return {
                ...{ heap: grown('heap'), outside: grown('outside') },
                ...{ host: grown('host'), worker: grown('worker') },
              };
            },
          };
        },
      };
    },
  };
}

export const cases: BenchCase[] = [steadyState('sdk'), steadyState('bundled')];
