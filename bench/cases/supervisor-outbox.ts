/** What an outbox costs a call: calls of a supervisor that keeps each verdict, and of one that does not, take turns. */
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as OutboxEntry from '../../src/outbox/index.js';
import type { BenchCase } from '../harness/case.js';
import { percentile, timed } from '../harness/statistics.js';
import { openStation, SAMPLE, SMALL_IMAGE } from '../support/station.js';

export const cases: BenchCase[] = [
  {
    name: 'supervisor/outbox',
    measures: 'The slowest percent of calls with an outbox, as a ratio to the same without: they take turns',
    figures: { ratio: { unit: '×' }, off: { unit: 'ms' }, on: { unit: 'ms' } },
    bars: [{ figure: 'ratio', contestant: 'ours', atMost: 1.01 }],
    rounds: 7,
    async open(context) {
      const { registry } = await openStation(context);
      const entry = pathToFileURL(context.library.file('outbox/index.js')).href;
      const { Outbox } = (await import(entry)) as typeof OutboxEntry;
      const outbox = await Outbox.open(path.join(context.folder, 'outbox'), { station: 'bench' });
      context.onClose(() => outbox.close());
      const call = (o: object) => {
        const supervisor = new context.library.main.AlgorithmSupervisor({ registry, ...o });
        context.onClose(() => supervisor.close());
        return () => supervisor.execute({ target: SAMPLE, productId: 'A', stepIndex: 1, image: SMALL_IMAGE });
      };
      const [off, on] = [call({}), call({ outbox })];
      await off();
      await on();
      return {
        ours: () =>
          Promise.resolve({
            round: async () => {
              const times: { off: number[]; on: number[] } = { off: [], on: [] };
              for (let turn = 0; turn < (context.quick ? 50 : 1_000); turn++) {
                times.off.push(await timed(off));
                times.on.push(await timed(on));
              }
              const [without, withIt] = [percentile(times.off, 0.99), percentile(times.on, 0.99)];
              return { ratio: withIt / without, off: without, on: withIt };
            },
          }),
      };
    },
  },
];
