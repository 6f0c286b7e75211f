import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { removeLeft } from '../../bench/harness/aside.js';
import { measureCase, type MeasureOptions } from '../../bench/harness/measure.js';
import type { CaseResult } from '../../bench/harness/records.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { cases } from '../support/bench/cases.js';

afterEach(removeLeft);

const module = new URL('../support/bench/cases.ts', import.meta.url).href;

/** A build in whose entries there is nothing but a number. */
async function buildOf(speed: number): Promise<string> {
  const root = await temporaryFolder();
  for (const file of ['index.js', 'testing/index.js']) {
    const target = path.join(root, 'dist', file);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, `export const speed = ${speed};\n`);
  }
  await writeFile(path.join(root, 'package.json'), '{"type":"module"}');
  return root;
}

async function measure(name: string, o: Partial<MeasureOptions> = {}): Promise<CaseResult[]> {
  const bench = cases.find((one) => one.name === name);
  if (!bench) throw new Error(`There is no case ${name}`);
  const root = await buildOf(1);
  return measureCase({ bench, module }, { quick: false, root, cache: root, ...o });
}

const of = <K extends CaseResult['kind']>(kind: K, results: CaseResult[]) =>
  results.filter((result): result is Extract<CaseResult, { kind: K }> => result.kind === kind);

test('contestants take turns, and who begins changes from round to round', async () => {
  const results = await measure('counts', { rounds: 3 });
  const [ours, comparator] = of('figure', results);
  // Turns 1 and 2 warm up.
  expect(ours?.samples).toEqual([3, 6, 7]);
  expect(comparator?.samples).toEqual([400, 500, 800]);
  expect(ours).toMatchObject({ median: 6, min: 3, max: 7, unit: 'ms', better: 'lower' });
  expect(of('case', results)).toMatchObject([{ case: 'counts', rounds: 3 }]);
});

test('a goal is met or missed, and is none in a quick run', async () => {
  const bars = of('bar', await measure('counts', { rounds: 3 }));
  expect(bars).toMatchObject([
    { goal: '<= 0.5 x of comparator', value: 6 / 500, pass: true },
    { goal: '>= 100 ms', value: 6, pass: false },
  ]);
  const quick = await measure('counts', { quick: true });
  expect(of('bar', quick)).toEqual([]);
  expect(of('figure', quick).map(({ samples }) => samples)).toEqual([[1], [200]]);
});

test('two builds alternate, without the comparators, and each pair has its ratio', async () => {
  const results = await measure('build', { root: await buildOf(3), otherRoot: await buildOf(2), rounds: 4 });
  expect(of('failed', results)).toEqual([]);
  const [pair] = of('pair', results);
  expect(pair).toMatchObject({ contestant: 'ours', ratio: 1.5, ratios: [1.5, 1.5, 1.5, 1.5] });
  expect(pair?.ours).toMatchObject({ median: 3, min: 3, max: 3 });
  expect(pair?.other).toMatchObject({ median: 2, min: 2, max: 2 });
});

test('a contestant that throws is a line with its error, and the others go on', async () => {
  const results = await measure('throws');
  expect(of('failed', results)).toMatchObject([{ contestant: 'ours', build: 'this' }]);
  expect(of('failed', results)[0]?.error).toContain('the lamp fell off');
  expect(of('figure', results).map(({ contestant }) => contestant)).toEqual(['comparator']);
});

test('a contestant that cannot be had is a line with its reason, and no failure', async () => {
  const results = await measure('unavailable');
  expect(of('skipped', results)).toMatchObject([{ contestant: 'peer', reason: 'there is no index here' }]);
  expect(of('failed', results)).toEqual([]);
});

test('a case whose process dies is one line with what it printed', async () => {
  const failed = of('failed', await measure('dies'));
  expect(failed).toHaveLength(1);
  expect(failed[0]?.error).toMatch(/its process ended with SIGKILL[^]*out of everything/);
});

test('a case that hangs ends at its limit, and its folder goes when the run is over', async () => {
  const file = path.join(await temporaryFolder(), 'folder');
  vi.stubEnv('BENCH_TEST_FOLDER_FILE', file);
  const failed = of('failed', await measure('hangs'));
  vi.unstubAllEnvs();
  expect(failed).toMatchObject([{ contestant: 'ours', error: 'not done within its limit of 4 s' }]);
  expect(readFileSync(file, 'utf8')).toContain('procvision-bench-');
  await removeLeft();
  expect(existsSync(readFileSync(file, 'utf8'))).toBe(false);
});

test('what is no number, and what the case does not declare, is no figure', async () => {
  const failed = of('failed', await measure('no-number'));
  expect(failed.map(({ error }) => error)).toEqual([
    'time is NaN, which is no measurement',
    'the case does not declare other',
  ]);
});
