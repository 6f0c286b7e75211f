import { context, trace, type Tracer } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-node';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createRunnerHandler } from '../../src/http/index.js';
import { instrument, RunnerMetrics } from '../../src/telemetry/index.js';
import { loadApi } from '../../src/telemetry/open-telemetry.js';
import { sampleAlgorithm, TemporaryStore } from '../../src/testing/index.js';

const image = { data: new Uint8Array(12), width: 2, height: 2 };
const REMOTE = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' };
const TRACEPARENT = `00-${REMOTE.traceId}-${REMOTE.spanId}-01`;

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});
afterAll(() => {
  context.disable();
});

/** A version whose answers tell the trace that its process is in, and providers of the real SDK that keep what they get. */
async function station(worker: 'sdk' | 'bundled' = 'sdk') {
  const store = await TemporaryStore.open();
  onTestFinished(() => store.close());
  const { registry } = store;
  const [deployer, supervisor] = [store.deployer(), store.supervise({ worker })];
  const spans = new InMemorySpanExporter();
  const tracerProvider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const meterProvider = new MeterProvider({ readers: [reader] });
  const parts = { registry, deployer, supervisor };
  const telemetry = await instrument(parts, { tracerProvider, meterProvider });
  onTestFinished(async () => {
    await telemetry.close();
    await meterProvider.shutdown();
    await tracerProvider.shutdown();
  });
  const source = sampleAlgorithm({ generation: 'phased', name: 'sample', version: '1.0.0' })
    .replace('import time', 'import os, time')
    .replace('about, first=', 'about, trace=os.environ.get("PROC_TRACEPARENT"), first=');
  const zip = await store.deliver();
  const tracer: Tracer = tracerProvider.getTracer('test');
  const named = (name: string) => spans.getFinishedSpans().filter((span) => span.name === name);
  const one = (name: string): ReadableSpan => {
    const [span, ...others] = named(name);
    if (!span || others.length > 0) throw new Error(`${named(name).length} spans ${name}, not one`);
    return span;
  };
  const active = async () => {
    await store.deploy({ source, productIds: ['A'] });
    await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A'] });
  };
  const metrics = async () => {
    await reader.forceFlush();
    return (
      exporter
        .getMetrics()
        .at(-1)
        ?.scopeMetrics.flatMap(({ metrics: all }) => all) ?? []
    );
  };
  return { ...parts, store, telemetry, tracer, zip, spans, named, one, active, metrics };
}

const request = { productId: 'A', stepIndex: 1, image };
const traceparentOf = (span: ReadableSpan) => {
  const { traceId, spanId } = span.spanContext();
  return `00-${traceId}-${spanId}-01`;
};

describe.each(['sdk', 'bundled'] as const)('a call to a worker of the kind %s', (worker) => {
  test('is a span of the trace it is asked with, and the algorithm finds that span, for this call alone', async () => {
    const { active, supervisor, one, spans, telemetry } = await station(worker);
    await active();
    const first = await supervisor.execute({ ...request, traceparent: TRACEPARENT });
    const span = one('procvision execute');
    expect(span.spanContext().traceId).toBe(REMOTE.traceId);
    expect(span.parentSpanContext?.spanId).toBe(REMOTE.spanId);
    expect(first.data.debug).toMatchObject({ trace: traceparentOf(span) });
    expect(span.attributes).toMatchObject({
      'procvision.package': 'sample',
      'procvision.version': '1.0.0',
      'procvision.product_id': 'A',
      'procvision.step': 1,
      'procvision.phase': 'execute',
      'procvision.request_id': first.requestId,
      'procvision.verdict': 'OK',
      'procvision.worker': 0,
      'procvision.attempts': 1,
    });
    spans.reset();
    await telemetry.close();
    const second = await supervisor.execute(request);
    expect(second.data.debug).toMatchObject({ trace: null });
    const third = await supervisor.execute({ ...request, traceparent: TRACEPARENT });
    expect(third.data.debug).toMatchObject({ trace: TRACEPARENT });
    expect(spans.getFinishedSpans()).toEqual([]);
  });
});

describe('calls', () => {
  test('belong to the span that is active, whatever traceparent they bring', async () => {
    const { active, supervisor, tracer, one } = await station();
    await active();
    await tracer.startActiveSpan('of the host', async (span) => {
      await supervisor.preExecute({ ...request, traceparent: TRACEPARENT });
      span.end();
    });
    expect(one('procvision pre').parentSpanContext?.spanId).toBe(one('of the host').spanContext().spanId);
  });

  test('that fail, before they are routed too, and those that an algorithm answers with ERROR, are spans with the error', async () => {
    const { active, supervisor, named } = await station();
    await active();
    await supervisor.execute({ ...request, productId: 'nobody' }).catch(() => undefined);
    await supervisor.execute({ ...request, userParams: { raise: 'no light' } });
    await supervisor.execute(undefined as never).catch(() => undefined);
    const told = named('procvision execute').map(({ status, attributes, events }) => [
      status.code,
      attributes['error.type'],
      events[0]?.name,
    ]);
    expect(told).toEqual([
      [2, 'not_found', 'exception'],
      [2, '1009', 'exception'],
      [2, 'invalid_params', 'exception'],
    ]);
  });

  test('with a traceparent that is none are refused, naming the field', async () => {
    const { supervisor } = await station();
    for (const traceparent of [
      '',
      'x',
      TRACEPARENT.toUpperCase(),
      `${TRACEPARENT}-x`,
      `ff${TRACEPARENT.slice(2)}`,
      1,
    ]) {
      await expect(
        supervisor.execute({ ...request, traceparent: traceparent as string }),
      ).rejects.toMatchObject({ code: 'invalid_params', details: { path: 'traceparent' } });
    }
  });
});

describe('operations of the deployer', () => {
  test('are spans with a child for each stage, within the span that is active', async () => {
    const { deployer, zip, tracer, one, named, spans } = await station();
    await tracer.startActiveSpan('of the host', async (span) => {
      await deployer.install(zip);
      span.end();
    });
    const install = one('procvision install');
    expect(install.parentSpanContext?.spanId).toBe(one('of the host').spanContext().spanId);
    expect(install.attributes).toMatchObject({
      'procvision.package': 'sample',
      'procvision.version': '1.0.0',
    });
    const stages = ['inspect', 'space', 'unpack', 'environment', 'smoke', 'seal', 'publish', 'register'];
    for (const stage of stages) {
      expect(one(`procvision install ${stage}`).parentSpanContext?.spanId).toBe(install.spanContext().spanId);
    }
    spans.reset();
    await deployer.uninstall('sample', '1.0.0');
    expect(one('procvision uninstall').status.code).toBe(0);
    expect(named('procvision uninstall remove')).toHaveLength(1);
  });

  test('that fail end their spans with the error', async () => {
    const { deployer, store, one } = await station();
    const zip = await store.deliver({ files: { 'algorithm/main.py': 'import no_such_module' } });
    await expect(deployer.install(zip)).rejects.toThrow();
    expect(one('procvision install')).toMatchObject({ status: { code: 2 } });
    expect(one('procvision install smoke').attributes['error.type']).toBe(
      one('procvision install').attributes['error.type'],
    );
  });
});

describe('a handler that is traced', () => {
  test('makes a span of each request, in the trace of its header, and what it does is within', async () => {
    const { active, registry, deployer, supervisor, telemetry, one } = await station();
    await active();
    const handler = telemetry.traced(
      createRunnerHandler({ registry, deployer, supervisor, allowUnauthenticated: true }),
    );
    const response = await handler(
      new Request('http://station/inspections/A', {
        method: 'POST',
        headers: {
          ...{ 'content-type': 'application/octet-stream', 'x-image-width': '2', 'x-image-height': '2' },
          traceparent: TRACEPARENT,
        },
        body: image.data,
      }),
    );
    expect(response.status).toBe(200);
    const server = one('POST');
    expect(server.spanContext().traceId).toBe(REMOTE.traceId);
    expect(server.parentSpanContext?.spanId).toBe(REMOTE.spanId);
    expect(server.attributes).toMatchObject({
      'http.request.method': 'POST',
      'url.path': '/inspections/A',
      'http.response.status_code': 200,
    });
    for (const phase of ['pre', 'execute']) {
      expect(one(`procvision ${phase}`).parentSpanContext?.spanId).toBe(server.spanContext().spanId);
    }
  });
});

test.each([
  ['too short flags', `00-${REMOTE.traceId}-${REMOTE.spanId}`],
  ['flags that are none', `00-${REMOTE.traceId}-${REMOTE.spanId}-zz`],
  ['capital letters', TRACEPARENT.toUpperCase()],
  ['version ff', TRACEPARENT.replace('00-', 'ff-')],
])('a traced handler begins a new trace for a traceparent with %s', async (_, traceparent) => {
  const { registry, deployer, supervisor, telemetry, one } = await station();
  const handler = telemetry.traced(
    createRunnerHandler({ registry, deployer, supervisor, allowUnauthenticated: true }),
  );
  await handler(new Request('http://station/health', { headers: { traceparent } }));
  expect(one('GET').spanContext().traceId).not.toBe(REMOTE.traceId.toLowerCase());
  expect(one('GET').spanContext().traceFlags).toBe(1);
});

test.each([{ deployer: {} }, { supervisor: {} }, { registry: {} }, { frames: 7 }])(
  'a part that is none is refused by its name, and nothing is left behind: %j',
  async (wrong) => {
    const { registry, deployer, supervisor } = await station();
    const [name = ''] = Object.keys(wrong);
    const parts = { registry, deployer, supervisor, ...wrong } as never;
    await expect(instrument(parts)).rejects.toMatchObject({
      code: 'invalid_params',
      details: { path: name },
    });
  },
);

test('without a traced handler, a traceparent of a request goes to its calls; one that is none is left out', async () => {
  const { active, registry, deployer, supervisor, telemetry, named, spans } = await station();
  await active();
  const handler = createRunnerHandler({ registry, deployer, supervisor, allowUnauthenticated: true });
  const ask = async (traceparent: string) => {
    spans.reset();
    const response = await handler(
      new Request('http://station/v2/models/A/infer', {
        method: 'POST',
        headers: { traceparent, 'content-type': 'application/json' },
        body: JSON.stringify({
          inputs: [{ name: 'image', datatype: 'UINT8', shape: [2, 2, 3], data: Array(12).fill(7) }],
        }),
      }),
    );
    expect(response.status).toBe(200);
    return named('procvision execute')[0]?.spanContext().traceId;
  };
  expect(await ask(TRACEPARENT)).toBe(REMOTE.traceId);
  expect(await ask('00-nonsense')).toMatch(/^[0-9a-f]{32}$/);
  await telemetry.close();
});

test('metrics have the names, labels and numbers of GET /metrics', async () => {
  const { active, registry, supervisor, metrics } = await station();
  await active();
  using text = new RunnerMetrics({ registry, supervisor });
  for (const userParams of [{}, { ng: true }, { raise: 'x' }])
    await supervisor.execute({ ...request, userParams });
  await supervisor.execute({ ...request, productId: 'nobody' }).catch(() => undefined);
  const families = await text.families();
  const measured = await metrics();
  const names = families.flatMap(({ kind, name }) =>
    kind === 'summary' ? [`${name}_count`, `${name}_sum`] : [name],
  );
  const isMade = (name: string) =>
    families.some(
      (one) => name.startsWith(one.name) && (one.kind === 'histogram' || one.readings().length > 0),
    );
  expect(measured.map(({ descriptor }) => descriptor.name).sort()).toEqual(names.filter(isMade).sort());
  const points = (name: string) =>
    measured.find(({ descriptor }) => descriptor.name === name)?.dataPoints as
      { attributes: object; value: unknown }[] | undefined;
  const settled = [
    'procvision_calls',
    'procvision_errors',
    'procvision_debug',
    'procvision_ng_ratio',
    'procvision_workers',
  ];
  for (const family of families.filter(({ name }) => settled.includes(name))) {
    for (const { suffix, labels, value } of family.readings()) {
      expect(points(`${family.name}${suffix}`)).toContainEqual(
        expect.objectContaining({ attributes: labels, value }),
      );
    }
  }
  expect(points('procvision_inspection_seconds')).toMatchObject([
    { attributes: { package: 'sample', version: '1.0.0', phase: 'execute' }, value: { count: 3 } },
  ]);
});

test('what was closed listens no more, and closing it again does nothing', async () => {
  const { supervisor, deployer, telemetry } = await station();
  await telemetry.close();
  await telemetry.close();
  expect(
    ['result', 'callFailed', 'restart'].map((name) => supervisor.listenerCount(name as 'result')),
  ).toEqual([0, 0, 0]);
  expect([deployer.listenerCount('stage'), deployer.listenerCount('ended')]).toEqual([0, 0]);
});

test('options that there are not, parts that are none, and a peer that is not installed are refused by name', async () => {
  const { registry } = await station();
  await expect(instrument({ registry }, { tracer: 1 } as never)).rejects.toMatchObject({
    code: 'invalid_params',
  });
  await expect(instrument(Promise.resolve({ registry }) as never)).rejects.toThrow(/registry/);
  await expect(
    loadApi(() => {
      throw new Error('MODULE_NOT_FOUND');
    }),
  ).rejects.toThrow(/npm install @opentelemetry\/api/);
  expect(trace.getTracerProvider()).toBeDefined();
});
