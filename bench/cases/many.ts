/** Several pictures of one product id in one message, beside as many calls. */
import type { InspectionRequest } from '../../src/index.js';
import type { BenchCase, BenchContext, Contestant } from '../harness/case.js';
import { Unavailable } from '../harness/case.js';
import { CROP, CROP_PRODUCT, cropStore, framesOf } from '../peers/ours.js';
import { picturesOf, SMALL } from '../peers/peer.js';

const PICTURES = 8;
const SINGLE = 'execute, one after the other';
const AT_ONCE = 'execute, all at once';
const MANY = 'executeMany';

type Supervisor = InstanceType<BenchContext['library']['main']['AlgorithmSupervisor']>;
type Ask = (
  supervisor: Supervisor,
  requests: InspectionRequest[],
) => Promise<{ data: { debug?: unknown } }[]>;

const WAYS: Record<string, Ask> = {
  [SINGLE]: async (supervisor, requests) => {
    const results = [];
    for (const request of requests) results.push(await supervisor.execute(request));
    return results;
  },
  [AT_ONCE]: (supervisor, requests) => Promise.all(requests.map((request) => supervisor.execute(request))),
  [MANY]: (supervisor, requests) => {
    if (!('executeMany' in supervisor)) throw new Unavailable('This build has no executeMany');
    return supervisor.executeMany(requests);
  },
};

function open(context: BenchContext, ask: Ask, isInPlace: boolean) {
  return async (): Promise<Contestant> => {
    const { AlgorithmSupervisor, FramePool } = context.library.main;
    const registry = await cropStore(context);
    const frames = new FramePool();
    const supervisor = new AlgorithmSupervisor({ registry, worker: 'bundled', frames });
    await supervisor.start(CROP.name, CROP.version);
    const pictures = picturesOf(SMALL, PICTURES);
    const images = isInPlace ? await framesOf(context, frames, pictures) : pictures;
    const requests = images.map((image): InspectionRequest => ({
      productId: CROP_PRODUCT,
      stepIndex: 1,
      image,
    }));
    const once = async () => {
      const results = await ask(supervisor, requests);
      for (const [n, { data }] of results.entries()) {
        const { mean } = data.debug as { mean: number };
        if (!(Math.abs(mean - (pictures[n]?.mean ?? NaN)) < 1e-6)) throw new Error(`picture ${n}: ${mean}`);
      }
    };
    for (let n = 0; n < (context.quick ? 1 : 20); n++) await once();
    return {
      round: async () => {
        const count = context.quick ? 5 : 60;
        const startedAt = performance.now();
        for (let n = 0; n < count; n++) await once();
        return { throughput: (count * PICTURES) / ((performance.now() - startedAt) / 1_000) };
      },
      close: async () => {
        await supervisor.close();
        await frames.close();
      },
    };
  };
}

function eight(name: string, isInPlace: boolean): BenchCase {
  return {
    name: `many/${name}`,
    measures: `${PICTURES} pictures of ${SMALL.width} x ${SMALL.height} at one bundled worker, ${isInPlace ? 'in place' : 'copied in'}`,
    figures: { throughput: { unit: 'pictures/s', better: 'higher' } },
    bars: isInPlace ? [{ figure: 'throughput', contestant: MANY, over: SINGLE, atLeast: 2 }] : [],
    rounds: 9,
    limitSeconds: 600,
    open: (context) =>
      Promise.resolve(
        Object.fromEntries(Object.entries(WAYS).map(([way, ask]) => [way, open(context, ask, isInPlace)])),
      ),
  };
}

export const cases: BenchCase[] = [eight('in-place', true), eight('copied', false)];
