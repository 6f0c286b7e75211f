import { afterAll, expect, test } from 'vitest';
import type { FileStepPlan } from '../../src/testing/index.js';
import { runMatrix } from '../support/kill-matrix.js';
import { killScenarios, NO_OTHER_DISK } from '../support/kill-scenarios.js';
import { reportSoak } from '../support/soak-report.js';

/** How many cuts are tried of each operation; `all` tries every step in every way (`npm run soak:kill-matrix`). */
const given = process.env.KILL_MATRIX ?? '2';
const sample = given === 'all' ? undefined : Number(given);

const WAYS: ((at: number) => FileStepPlan)[] = [
  (at) => ({ mode: 'kill', at }),
  (at) => ({ mode: 'fail', at, code: 'ENOSPC' }),
  (at) => ({ mode: 'fail', at, code: 'EIO' }),
];

/** Where the operation waits for the disk: before it, in vain, and when it has just come back. */
const SYNC_WAYS: typeof WAYS = [
  (at) => ({ mode: 'kill', at }),
  (at) => ({ mode: 'fail', at, code: 'EIO' }),
  (at) => ({ mode: 'kill', at: at + 1 }),
];

/** In the suite one of those whose parts lie on disks of their own. */
const LEFT_OUT = sample === undefined ? /^$/ : /^(upload|archive), each part/;
const ALL = Object.keys(killScenarios).filter(
  (name) => !LEFT_OUT.test(name) && (NO_OTHER_DISK === undefined || !name.includes('disk')),
);
/** In the suite those with the most to wait for. */
const SYNCED = sample === undefined ? ALL : ['force-install'];
const LIMIT_MS = sample === undefined ? 3_600_000 : 60_000;

const steps: number[] = [];
let syncs = 0;
let tried = 0;

test.each(ALL)(
  '%s killed, out of space or with an I/O error at any file-system step leaves the old state or the new one',
  async (name) => {
    const result = await runMatrix(name, WAYS, { sample });
    steps.push(result.steps);
    tried += result.tried;
    reportSoak('KILL_MATRIX', `kill matrix, ${name}`, result);
    expect(result.tried).toBe(sample ?? result.steps * WAYS.length);
  },
  LIMIT_MS,
);

test.each(SYNCED)(
  '%s killed or with an I/O error where it waits for the disk leaves the old state or the new one',
  async (name) => {
    const result = await runMatrix(name, SYNC_WAYS, { sample, durability: 'full' });
    syncs += result.steps;
    tried += result.tried;
    reportSoak('KILL_MATRIX', `kill matrix, syncs, ${name}`, result);
    expect(result.steps).toBeGreaterThan(0);
    expect(result.tried).toBe(sample ?? result.steps * SYNC_WAYS.length);
  },
  LIMIT_MS,
);

afterAll(() => {
  const all = steps.reduce((sum, count) => sum + count, 0);
  reportSoak('KILL_MATRIX', 'kill matrix', { steps: all, operations: steps.length, syncs, cuts: tried });
});
