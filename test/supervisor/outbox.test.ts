import path from 'node:path';
import sharp from 'sharp';
import { describe, expect, onTestFinished, test } from 'vitest';
import { acceptance, openRunner, RunnerError, type InspectionResult } from '../../src/index.js';
import { Outbox } from '../../src/outbox/index.js';
import { record, replay } from '../../src/recording/index.js';
import type { ResultFacts, ResultOutbox } from '../../src/supervisor/outbox/result-outbox.js';
import { FakeWorker, TemporaryStore } from '../../src/testing/index.js';
import { deployBrightness, writePictures } from '../support/brightness.js';
import { temporaryRunner } from '../support/open-runner.js';
import { temporaryFolder } from '../support/temp-folder.js';

const image = { data: new Uint8Array(12), width: 2, height: 2 };

/** A supervisor with a version that serves A01, over an outbox. */
async function supervised(outbox: ResultOutbox) {
  const store = await TemporaryStore.open();
  onTestFinished(() => store.close());
  await store.deploy();
  await store.registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  const supervisor = store.supervise({ outbox });
  const inspect = (over: object = {}) =>
    supervisor.execute({ productId: 'A01', stepIndex: 1, image, ...over });
  return { store, supervisor, inspect };
}

async function realOutbox(): Promise<Outbox> {
  const outbox = await Outbox.open(await temporaryFolder(), { station: 'ws-1' });
  onTestFinished(() => outbox.close());
  return outbox;
}

async function bodies(outbox: Outbox): Promise<Record<string, unknown>[]> {
  return (await outbox.queue.due('records', { limit: 1_000 })).items.map(({ body }) => ({ ...body }));
}

/** An outbox that does as it is told. */
function steered(o: Partial<ResultOutbox>): ResultOutbox & { kept: ResultFacts[] } {
  const kept: ResultFacts[] = [];
  return {
    kept,
    record: (_, facts) => (kept.push(facts), Promise.resolve()),
    note: () => Promise.resolve(),
    ...o,
  };
}

describe('a supervisor with an outbox', () => {
  test('each verdict is in it with session, parameters and trace, in the order in which they were given', async () => {
    const outbox = await realOutbox();
    const { supervisor, inspect } = await supervised(outbox);
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    await inspect({ session: { id: 's-1' }, traceparent });
    for (let call = 0; call < 5; call++) await inspect();
    await supervisor.close();
    const verdicts = (await bodies(outbox)).filter((body) => !('kind' in body));
    expect(verdicts).toHaveLength(6);
    expect(verdicts[0]).toMatchObject({
      ...{ workstation_id: 'ws-1', session_id: 's-1', step_index: 1, pid: 'A01', trace_id: 'a'.repeat(32) },
      ...{ status: 'OK', model_version: '1.0.0' },
    });
    const times = verdicts.map(({ timestamp_ms: at }) => at as number);
    expect([...times].sort((a, b) => a - b)).toEqual(times);
  });

  test('a call that failed at a canary is in it once, as the mapped version answered it, with its picture', async () => {
    const store = await TemporaryStore.open();
    onTestFinished(() => store.close());
    const young = new FakeWorker();
    onTestFinished(() => young.close());
    await store.deploy({ version: '1', productIds: ['A01'] });
    await store.deploy({ version: '2', productIds: ['A01'], worker: young });
    const { registry } = store;
    await registry.activate({ name: 'sample', version: '1', productIds: ['A01'] });
    const outbox = steered({});
    const supervisor = store.supervise({ outbox });
    const results: string[] = [];
    outbox.record = (inspected, facts) => {
      outbox.kept.push(facts);
      results.push(RunnerError.is(inspected) ? inspected.code : `${inspected.version} ${inspected.status}`);
      return Promise.resolve();
    };
    const long = {
      calls: 1_000_000,
      durationMs: 3_600_000,
      maxLatencyRatio: 1_000,
      maxCrashes: 99,
      minCalls: 99,
    };
    const order = { name: 'sample', version: '2', productIds: ['A01'] };
    await supervisor.switch({ ...order, share: 0.9, steps: [], probation: long });
    young.answer('execute', { status: 'ERROR', message: 'no' });
    const answered = await supervisor.execute({ productId: 'A01', stepIndex: 1, image });
    expect(answered).toMatchObject({ version: '1', fellBackFrom: { version: '2' } });
    await supervisor.close();
    expect(results).toEqual(['1 OK']);
    expect(outbox.kept).toMatchObject([{ version: '1', image: { width: 2 } }]);
  });

  test('a call that failed is in it as ERROR; one that inspected nothing is not', async () => {
    const outbox = await realOutbox();
    const { supervisor, inspect } = await supervised(outbox);
    await expect(inspect({ productId: 'unknown' })).rejects.toThrow();
    await expect(inspect({ stepIndex: 'x' })).rejects.toThrow();
    await expect(
      supervisor.execute({ productId: 'A01', stepIndex: 1, image }, { signal: AbortSignal.abort() }),
    ).rejects.toThrow();
    await supervisor.close();
    const all = await bodies(outbox);
    expect(all.filter((body) => !('kind' in body))).toMatchObject([{ pid: 'unknown', status: 'ERROR' }]);
  });

  test('a worker that is ready and a worker that died are in it as health and alarm', async () => {
    const outbox = await realOutbox();
    const { supervisor, inspect } = await supervised(outbox);
    await inspect();
    const [worker] = supervisor.status()[0]?.workers ?? [];
    const died = new Promise((resolve) => supervisor.once('exit', resolve));
    process.kill(worker?.processId ?? 0, 'SIGKILL');
    await died;
    await supervisor.close();
    const kinds = (await bodies(outbox)).map(({ kind = 'verdict' }) => kind);
    expect(kinds).toEqual(expect.arrayContaining(['health', 'alarm', 'verdict']));
  });

  test.each<[string, Partial<ResultOutbox>]>([
    ['rejects', { record: () => Promise.reject(new Error('disk full')) }],
    [
      'throws',
      {
        record: () => {
          throw new Error('a fault of its own');
        },
        note: () => {
          throw new Error('too');
        },
      },
    ],
  ])('an outbox that %s fails no call, and the loss is reported', async (_, o) => {
    const { supervisor, inspect } = await supervised(steered(o));
    const lost: string[] = [];
    supervisor.on('error', ({ error }) => lost.push(error.message));
    for (let call = 0; call < 3; call++) expect((await inspect()).status).toBe('OK');
    await expect.poll(() => lost.length).toBe(1);
    expect(lost[0]).toMatch(/^The outbox did not take 1 verdicts or events: /);
    await supervisor.close();
  });

  test('an outbox that never answers delays no call', async () => {
    let release!: () => void;
    const hung = new Promise<void>((resolve) => (release = resolve));
    const { supervisor, inspect } = await supervised(steered({ record: () => hung }));
    const results: InspectionResult[] = [];
    for (let call = 0; call < 30; call++) results.push(await inspect());
    expect(results.every(({ status }) => status === 'OK')).toBe(true);
    release();
    await supervisor.close();
  });

  test('pictures are made from the pixels of the call, by the rules of the outbox', async () => {
    const outbox = await Outbox.open(await temporaryFolder(), {
      station: 'ws-1',
      pictures: { keep: 'all', format: 'png' },
    });
    onTestFinished(() => outbox.close());
    const { supervisor, inspect } = await supervised(outbox);
    for (const value of [10, 20, 30]) {
      await inspect({ image: { data: new Uint8Array(12).fill(value), width: 2, height: 2 } });
    }
    await supervisor.close();
    const { items } = await outbox.queue.due('pictures');
    const pixels = await Promise.all(
      items.map(async ({ picture }) => [...(await sharp(picture?.file).raw().toBuffer())]),
    );
    expect(pixels.map((one) => [one.length, one[0]])).toEqual([
      [12, 10],
      [12, 20],
      [12, 30],
    ]);
  });

  test('calls that judge a version and no product are not in it: of a replay, and of an acceptance', async () => {
    const outbox = steered({});
    const { runner, folder } = await temporaryRunner({ outbox });
    const { supervisor, registry } = runner;
    const target = await deployBrightness(registry, '1.0.0', { below: 100 });
    const bright = { ...image, data: new Uint8Array(12).fill(200) };
    const inspect = () => supervisor.execute({ productId: 'B-1', target, stepIndex: 1, image: bright });
    const directory = path.join(folder, 'recording');
    const recording = await record(supervisor, { directory });
    await inspect();
    await recording.stop();
    expect(outbox.kept).toHaveLength(1);
    expect(await replay(supervisor, { directory, ...target })).toMatchObject({ compared: 1, agreed: 1 });
    const pictures = path.join(folder, 'pictures');
    await writePictures(pictures, { OK: [200, 201], NG: [50] });
    expect((await acceptance(runner, pictures, { target })).pictures).toHaveLength(3);
    await inspect();
    await supervisor.close();
    expect(outbox.kept).toHaveLength(2);
  });

  test('openRunner takes it too', async () => {
    const outbox = steered({});
    const runner = await openRunner(await temporaryFolder(), { outbox, registry: { durability: 'none' } });
    await expect(runner.supervisor.execute({ productId: 'A01', stepIndex: 1, image })).rejects.toThrow();
    await runner.close();
    expect(outbox.kept).toMatchObject([{ productId: 'A01', stepIndex: 1 }]);
  });
});
