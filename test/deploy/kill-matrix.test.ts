import { expect, test } from 'vitest';
import { killScenarios } from '../support/kill-scenarios.js';
import { runMatrix } from '../support/kill-matrix.js';

/** Steps tried of each operation; `KILL_MATRIX=all` tries every one (`npm run soak:kill-matrix`). */
const sample = process.env.KILL_MATRIX === 'all' ? undefined : Number(process.env.KILL_MATRIX ?? 4);

const timeoutMs = sample === undefined ? 1_800_000 : 60_000;

for (const name of Object.keys(killScenarios)) {
  test(
    `${name} killed at any of its file-system steps leaves the old state or the new one`,
    async () => {
      const result = await runMatrix(name, (at) => ({ mode: 'kill', at }), sample);
      process.stdout.write(`kill matrix: ${JSON.stringify(result)}\n`);
      expect(result.tried).toBeGreaterThan(0);
    },
    timeoutMs,
  );

  test.each([['ENOSPC' as const], ['EIO' as const]])(
    `${name} with any one of its file-system steps failing with %s leaves the old state or the new one`,
    async (code) => {
      const result = await runMatrix(name, (at) => ({ mode: 'fail', at, code }), sample && sample / 2);
      process.stdout.write(`fail matrix, ${code}: ${JSON.stringify(result)}\n`);
      expect(result.tried).toBeGreaterThan(0);
    },
    timeoutMs,
  );
}
