import { expect, test } from 'vitest';
import { RunnerMetrics } from '../../src/telemetry/runner-metrics.js';
import { openHttpRunner, type HttpRunner } from '../support/http-runner.js';

const image = { data: new Uint8Array(12), width: 2, height: 2 };

async function station(): Promise<HttpRunner> {
  const runner = await openHttpRunner();
  await runner.deployer.install(await runner.deliver());
  await runner.registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  return runner;
}

/** A line of the text: name, labels, value. Fails for a text that is none of OpenMetrics. */
function samplesOf(text: string): { name: string; labels: string; value: number }[] {
  expect(text.endsWith('\n# EOF\n')).toBe(true);
  const typed = new Map<string, string>();
  const samples = text
    .slice(0, -'# EOF\n'.length)
    .trimEnd()
    .split('\n')
    .flatMap((line) => {
      const [, name = '', type = ''] = /^# TYPE (\S+) (counter|gauge|histogram|summary)$/.exec(line) ?? [];
      if (name !== '') {
        expect(typed.has(name)).toBe(false);
        typed.set(name, type);
        return [];
      }
      if (/^# (?:HELP|UNIT) \S+ ./.test(line)) return [];
      const parsed = /^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+\})? (-?[\d.e+-]+)$/.exec(line);
      expect({ line, isSample: parsed !== null }).toEqual({ line, isSample: true });
      const [, sample = '', labels = '', value = ''] = parsed ?? [];
      const family = [...typed.keys()].at(-1) ?? '';
      const ending = sample.slice(family.length);
      const endings = {
        counter: ['_total'],
        gauge: [''],
        summary: ['_count', '_sum'],
        histogram: ['_bucket', '_count', '_sum'],
      };
      expect(sample.startsWith(family)).toBe(true);
      expect(endings[typed.get(family) as keyof typeof endings]).toContain(ending);
      return [{ name: sample, labels, value: Number(value) }];
    });
  return samples;
}

test('calls, verdicts, errors, times, workers and numbers of data.debug are counted by package, version, product id and step', async () => {
  const { ask, supervisor } = await station();
  const call = (userParams: object) =>
    supervisor.execute({ productId: 'A01', stepIndex: 1, image, userParams: { ...userParams } });
  await call({});
  await call({ ng: true });
  await call({ raise: 'x' });
  await expect(supervisor.execute({ productId: 'nobody', stepIndex: 1, image })).rejects.toThrow();
  const response = await ask('GET', '/metrics');
  expect(response.headers.get('content-type')).toBe(
    'application/openmetrics-text; version=1.0.0; charset=utf-8',
  );
  const samples = samplesOf(await response.text());
  const at = (name: string, ...labels: string[]) =>
    samples
      .filter((one) => one.name === name && labels.every((label) => one.labels.includes(label)))
      .map(({ value }) => value);
  const place = ['package="sample"', 'version="1.0.0"', 'product_id="A01"', 'step="1"'];
  expect(at('procvision_calls_total', ...place, 'outcome="OK"')).toEqual([1]);
  expect(at('procvision_calls_total', ...place, 'outcome="NG"')).toEqual([1]);
  expect(at('procvision_calls_total', ...place, 'outcome="ERROR"')).toEqual([1]);
  expect(at('procvision_calls_total', 'outcome="failed"', 'product_id="nobody"')).toEqual([1]);
  expect(at('procvision_errors_total', 'code="not_found"')).toEqual([1]);
  expect(at('procvision_errors_total', 'code="1009"')).toEqual([1]);
  expect(at('procvision_ng_ratio', ...place)).toEqual([0.5]);
  for (const name of ['queue', 'frame', 'call', 'inspection']) {
    expect(at(`procvision_${name}_seconds_count`, 'phase="execute"')).toEqual([3]);
    expect(at(`procvision_${name}_seconds_bucket`, 'le="+Inf"')).toEqual([3]);
    const buckets = at(`procvision_${name}_seconds_bucket`);
    expect(buckets).toEqual([...buckets].sort((a, b) => a - b));
  }
  expect(at('procvision_debug_count', 'key="size"')).toEqual([2]);
  expect(at('procvision_debug_sum', 'key="size"')).toEqual([24]);
  expect(at('procvision_debug_last', 'key="size"')).toEqual([12]);
  expect(at('procvision_workers', 'state="idle"')).toEqual([1]);
  expect(at('procvision_circuit_open')).toEqual([0]);
  expect(at('procvision_disk_free_bytes')[0]).toBeGreaterThan(0);
});

test('however many product ids come in, a metric has no more sets of labels than its bound, and counts the rest under other', async () => {
  const { registry, supervisor } = await station();
  using metrics = new RunnerMetrics({ registry, supervisor }, { maxSeries: 3 });
  for (let n = 0; n < 10; n++) {
    await supervisor.execute({ productId: `id "${n}"\n\\`, stepIndex: 1, image }).catch(() => undefined);
  }
  const samples = samplesOf(await metrics.text()).filter(({ name }) => name === 'procvision_calls_total');
  expect(samples).toHaveLength(4);
  expect(samples.map(({ value }) => value)).toEqual([1, 1, 1, 7]);
  expect(samples.at(-1)?.labels).toContain('product_id="other"');
});

test('metrics that were disposed of listen no more', async () => {
  const { registry, supervisor } = await station();
  const before = supervisor.listenerCount('result');
  const metrics = new RunnerMetrics({ registry, supervisor });
  expect(supervisor.listenerCount('result')).toBe(before + 1);
  metrics[Symbol.dispose]();
  expect(supervisor.listenerCount('result')).toBe(before);
});
