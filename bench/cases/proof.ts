/** What the proof of picture costs a call, of a small and of a large frame, by each method. */
import type { SupervisorPolicy, WorkerFlavour } from '../../src/index.js';
import type { BenchCase, Contestant } from '../harness/case.js';
import { pairedCost } from '../harness/statistics.js';
import { openStation, SAMPLE, SMALL_IMAGE } from '../support/station.js';

const LARGE_IMAGE = { data: new Uint8Array(1920 * 1200 * 3).fill(50), width: 1920, height: 1200 };
const WORKERS: Record<string, WorkerFlavour> = { 'SDK adapter': 'sdk', 'bundled worker': 'bundled' };

/** Calls with a proof and calls without take turns: the difference is smaller than what a minute does to the machine. */
function proving(name: string, image: typeof LARGE_IMAGE, pairs: number): BenchCase {
  return {
    name: `proof/${name}`,
    measures: `What a call with a picture of ${image.width} x ${image.height}, copied in, costs more than one with the proof off`,
    figures: { cost: { unit: 'ms' }, off: { unit: 'ms' } },
    bars: Object.keys(WORKERS).map((worker) => ({
      ...{ figure: 'cost', contestant: `ours, sampled, ${worker}`, atMost: 0.03 },
    })),
    rounds: 7,
    oneCore: true,
    async open(context) {
      const { supervise } = await openStation(context);
      const paired =
        (proof: SupervisorPolicy['proof'], worker: WorkerFlavour) => async (): Promise<Contestant> => {
          const [off, on] = (['off', proof] as const).map((method) => {
            const supervisor = supervise({ proof: method }, worker);
            return () => supervisor.execute({ target: SAMPLE, stepIndex: 1, image });
          }) as [() => Promise<unknown>, () => Promise<unknown>];
          await off();
          await on();
          return {
            round: async () => {
              const { cost, base } = await pairedCost(off, on, context.quick ? 20 : pairs);
              return { cost, off: base };
            },
          };
        };
      const methods = ['sampled', 'full', 'sha256'] as const;
      return Object.fromEntries(
        Object.entries(WORKERS).flatMap(([worker, flavour]) =>
          methods.map((method) => [`ours, ${method}, ${worker}`, paired(method, flavour)]),
        ),
      );
    },
  };
}

export const cases: BenchCase[] = [proving('small', SMALL_IMAGE, 500), proving('large', LARGE_IMAGE, 60)];
