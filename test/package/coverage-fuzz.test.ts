import { describe, expect, test } from 'vitest';
import { fuzz, type Target } from '../support/coverage-guided.js';
import { TARGETS } from '../support/fuzz-targets.js';

/** `PROPERTY_SEED` repeats a run; `npm run fuzz:coverage` goes on for an hour. */
const seed = Number(process.env.PROPERTY_SEED);
const RUNS = 200;

describe('guided by coverage, whatever bytes come', () => {
  test.each(TARGETS.map((target) => [target.name, target] as const))(
    'the laws of %s hold, and inputs that reach more than the seeds are found',
    async (_, target) => {
      const seeds = (await target.seeds()).length;
      const { runs, corpus, failure } = await fuzz(target, { runs: RUNS, seed });
      if (failure) {
        const input = failure.input.toString('base64');
        throw new Error(`seed ${seed}, input (base64) ${input}`, { cause: failure.error });
      }
      expect(runs).toBe(RUNS);
      expect(corpus).toBeGreaterThan(seeds);
    },
  );

  test('a law that does not hold for one input is found from a seed that is four steps away from it', async () => {
    // Each condition a block of its own: that one more holds is told by coverage alone.
    const steps = (bytes: Buffer): number => {
      if (bytes[0] !== 0x50) return 0;
      if ((bytes[1] ?? 0) < 0xc0) return 1;
      if (bytes.length < 9) return 2;
      if (bytes[2] !== 0xff) return 3;
      return 4;
    };
    const target: Target = {
      name: 'steps',
      scripts: 'coverage-fuzz.test',
      seeds: () => Promise.resolve([Buffer.from([0x50, 0x57, 0, 0])]),
      run: (input) => (steps(input) === 4 ? Promise.reject(new Error('found')) : Promise.resolve()),
    };
    const { failure } = await fuzz(target, { runs: 20_000, seed: 7 });
    expect(failure?.error).toMatchObject({ message: 'found' });
    expect(failure?.input.length).toBeGreaterThanOrEqual(9);
  });
});
