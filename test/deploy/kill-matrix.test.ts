import { afterAll, expect, test } from 'vitest';
import type { FileStepPlan } from '../../src/testing/index.js';
import { runMatrix } from '../support/kill-matrix.js';
import { killScenarios } from '../support/kill-scenarios.js';

/** How many cuts are tried of each operation; `all` tries every step in every way (`npm run soak:kill-matrix`). */
const given = process.env.KILL_MATRIX ?? '2';
const sample = given === 'all' ? undefined : Number(given);

const WAYS: ((at: number) => FileStepPlan)[] = [
  (at) => ({ mode: 'kill', at }),
  (at) => ({ mode: 'fail', at, code: 'ENOSPC' }),
  (at) => ({ mode: 'fail', at, code: 'EIO' }),
];

const steps: number[] = [];
let tried = 0;

test.each(Object.keys(killScenarios))(
  '%s killed, out of space or with an I/O error at any file-system step leaves the old state or the new one',
  async (name) => {
    const result = await runMatrix(name, WAYS, sample);
    steps.push(result.steps);
    tried += result.tried;
    process.stdout.write(`kill matrix: ${JSON.stringify(result)}\n`);
    expect(result.tried).toBe(sample ?? result.steps * WAYS.length);
    // A promise about time is held in the long run alone, over hundreds of recoveries.
    if (sample === undefined) expect(result.medianRecoveryMs).toBeLessThan(1_000);
  },
  sample === undefined ? 3_600_000 : 60_000,
);

afterAll(() => {
  const all = steps.reduce((sum, count) => sum + count, 0);
  process.stdout.write(`kill matrix: ${all} steps of ${steps.length} operations, ${tried} cuts tried\n`);
});
