import { expect, onTestFinished, test } from 'vitest';
import { FakeWorker, TemporaryStore } from '../../src/testing/index.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import { dying, image, to } from '../support/three-versions.js';

/** Never over by itself. */
const patient = {
  calls: 1_000_000,
  durationMs: 3_600_000,
  maxLatencyRatio: 1_000,
  maxCrashes: 99,
  minCalls: 99,
};
const call = { productId: 'A', stepIndex: 1, image };

/** Version 1 is phased; version 2, which has nearly all of the calls, compares with a guide picture. */
async function withGuides() {
  const store = await TemporaryStore.open();
  onTestFinished(() => store.close());
  const workers = { 1: new FakeWorker(), 2: new FakeWorker({ generation: 'execute-only' }) };
  for (const [version, worker] of Object.entries(workers)) {
    onTestFinished(() => worker.close());
    await store.deploy({ version, productIds: ['A'], worker });
  }
  const { registry } = store;
  await registry.activate({ name: 'sample', version: '1', productIds: ['A'] });
  const supervisor = store.supervise();
  await supervisor.switch({ ...to('2', ['A']), share: 0.9, steps: [], probation: patient });
  const statusOf = () => supervisor.status().find(({ version }) => version === '2')?.canary[0];
  return { registry, supervisor, young: workers[2], statusOf };
}

test('each version has its own guide picture: without a registered one the canary refuses, and the mapped version answers', async () => {
  const { registry, supervisor, young, statusOf } = await withGuides();
  expect(await supervisor.execute(call)).toMatchObject({
    version: '1',
    fellBackFrom: { version: '2', code: 'invalid_params' },
  });
  // What the mapped version can answer is no fault of the request.
  expect(statusOf()).toMatchObject({ calls: 1, failures: 1 });
  await registry.setGuide({ productId: 'A', stepIndex: 1, image });
  expect((await supervisor.execute(call)).version).toBe('2');
  // Sent with a guide to the one, and without it to the other.
  young.answer('execute', { status: 'ERROR', message: 'no' });
  const fellBack = await supervisor.execute(call);
  expect(fellBack).toMatchObject({
    ...{ version: '1', status: 'OK' },
    fellBackFrom: { version: '2', code: 'execute_exception' },
  });
});

test('a request that no version takes fails as its caller made it, and counts against none', async () => {
  const { supervisor, statusOf } = await withGuides();
  const wrong = { ...call, stepIndex: 0 };
  await expect(supervisor.execute(wrong)).rejects.toMatchObject({ code: 'invalid_params' });
  expect(statusOf()).toMatchObject({ calls: 0, failures: 0 });
});

test('the pictures of a message whose canary dies are answered by the mapped version, each once and with its own answer', async () => {
  const { registry, supervisor } = await openSupervised({ worker: 'bundled' });
  for (const version of ['1', '2']) {
    const source = version === '2' ? dying : steeredAlgorithm();
    await deployVersion(registry, { version, source, productIds: ['A'] });
  }
  await registry.activate({ name: 'sample', version: '1', productIds: ['A'] });
  await supervisor.start('sample', '1');
  await supervisor.switch({ ...to('2', ['A']), share: 0.9, steps: [], probation: patient });
  const ids: string[] = [];
  supervisor.on('result', ({ result }) => ids.push(result.requestId));
  const requests = Array.from({ length: 6 }, (_, echo) => ({ ...call, userParams: { echo } }));
  const results = await supervisor.executeMany(requests);
  expect(results.map(({ data }) => (data.debug as { echo: number }).echo)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(new Set(results.map(({ version }) => version))).toEqual(new Set(['1']));
  // Those that come to their turn while the canary starts anew go to the mapped version at once.
  const froms = new Set(results.flatMap(({ fellBackFrom }) => fellBackFrom?.version ?? []));
  expect(froms).toEqual(new Set(['2']));
  expect(new Set(ids).size).toBe(6);
  expect(ids).toHaveLength(6);
});
