import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { RunnerMetrics } from '../../src/telemetry/runner-metrics.js';
import { TemporaryStore } from '../../src/testing/index.js';
import { repositoryFile } from '../support/run-script.js';

const read = (file: string) => readFile(repositoryFile(`examples/monitoring/${file}`), 'utf8');

/** Names of samples that a station gives, whatever it has seen so far. */
async function sampleNames(): Promise<Set<string>> {
  await using store = await TemporaryStore.open();
  using metrics = new RunnerMetrics({ registry: store.registry, supervisor: store.supervise() });
  const endings = { counter: ['_total'], gauge: [''], summary: ['_count', '_sum'] };
  const all = { ...endings, histogram: ['_bucket', '_count', '_sum'] };
  const types = [...(await metrics.text()).matchAll(/^# TYPE (\S+) (\w+)$/gm)];
  return new Set(
    types.flatMap(([, name = '', type]) => all[type as keyof typeof all].map((end) => name + end)),
  );
}

test('the dashboard and the alert rules ask for metrics that a station gives', async () => {
  const names = await sampleNames();
  const dashboard = JSON.parse(await read('dashboard.json')) as {
    panels: { title: string; targets: { expr: string }[] }[];
  };
  const rules = await read('alerts.yaml');
  const panels = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  const asked = [...panels, ...rules.split('\n').filter((line) => !line.includes('prune'))].flatMap((text) =>
    [...text.matchAll(/\bprocvision_\w+/g)].map(([name]) => name),
  );
  expect(new Set(asked).size).toBeGreaterThan(15);
  // One alert names metrics in its remedy, without an ending.
  const known = new Set([...names, 'procvision_queue_seconds', 'procvision_call_seconds']);
  expect(asked.filter((name) => !known.has(name))).toEqual([]);
  expect(rules.match(/- alert:/g)?.length).toBe(rules.match(/ remedy:/g)?.length);
});
