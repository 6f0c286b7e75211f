import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { BenchRecord } from '../../bench/harness/records.js';
import { mergeRecords, parseRecords, performancePage } from '../../bench/harness/tables.js';
import { repositoryFile } from '../support/run-script.js';

const page = 'head\n<!-- results: written by npm run bench:report -->\nold\n<!-- results: end -->\ntail\n';

const run = (date: string): BenchRecord => ({
  ...{ kind: 'run', date, mode: 'full', build: { version: '1.0.0', commit: 'abc' } },
  ...{ machine: { system: 'Linux', cpu: 'some CPU', cores: 2, memoryGiB: 24 }, versions: { node: '20.0.0' } },
});

function measured(name: string, value: number): BenchRecord[] {
  const about = { case: name, figure: 'time', contestant: 'ours' };
  const spread = { median: value, min: value - 1, max: value + 1, samples: [value - 1, value, value + 1] };
  return [
    { kind: 'figure', ...about, unit: 'ms', better: 'lower', ...spread },
    { kind: 'bar', ...about, value, goal: '<= 5 ms', pass: value <= 5 },
    { kind: 'skipped', case: name, contestant: 'peer', reason: 'there is no index\nhere' },
    {
      ...{ kind: 'case', case: name, measures: 'What it takes', date: '2026-01-02T00:00:00.000Z' },
      ...{ commit: 'abc', seconds: 3, rounds: 3, load: [0.5, 1.25] },
    },
  ];
}

const jsonLines = (records: readonly BenchRecord[]) =>
  records.map((record) => `${JSON.stringify(record)}\n`).join('');

test('results become a table with median, lowest and highest, goals and what is missing', () => {
  const records = [run('2026-01-02T00:00:00.000Z'), ...measured('call/small', 7)];
  const written = performancePage(page, parseRecords(jsonLines(records)));
  expect(written).toMatch(/^head\n[^]*\ntail\n$/);
  expect(written).not.toContain('old');
  expect(written).toContain('| Machine | Linux, 2 x some CPU, 24 GiB |');
  expect(written).toContain('| Build | 1.0.0 at abc |');
  expect(written).toContain('| node | 20.0.0 |');
  expect(written).toContain('### call\n');
  expect(written).toContain('**`call/small`** What it takes (3 rounds, load 0.5 to 1.25, 2026-01-02, abc).');
  expect(written).toContain('| | time, ms |\n| --- | --- |\n| ours | 7 (6 to 8) |');
  expect(written).toContain('- time of ours: 7, goal <= 5 ms: **missed**');
  expect(written).toContain('- peer: not measured. there is no index');
});

test('a later run replaces the cases that it has, and leaves the others', () => {
  const earlier = [run('2026-01-01T00:00:00.000Z'), ...measured('b', 1), ...measured('a', 2)];
  const later = [run('2026-01-02T00:00:00.000Z'), ...measured('a', 3)];
  const merged = mergeRecords(earlier, later);
  expect(merged[0]).toMatchObject({ kind: 'run', date: '2026-01-02T00:00:00.000Z' });
  const figures = merged.filter((record) => record.kind === 'figure');
  expect(figures.map((figure) => [figure.case, figure.median])).toEqual([
    ['a', 3],
    ['b', 1],
  ]);
});

test.each([
  ['a quick run', { mode: 'quick' }],
  ['a comparison of builds', { against: { version: '1.0.0' } }],
])('results of %s do not become the page', (_, changed) => {
  const other = { ...run('2026-01-01T00:00:00.000Z'), ...changed } as BenchRecord;
  expect(() => parseRecords(jsonLines([other]))).toThrow('full run of one build');
});

test('docs/performance.md is what the script writes from bench/results.jsonl', async () => {
  const text = await readFile(repositoryFile('docs/performance.md'), 'utf8');
  const records = parseRecords(await readFile(repositoryFile('bench/results.jsonl'), 'utf8'));
  expect(performancePage(text, records)).toBe(text);
});
