import { expect, onTestFinished, test } from 'vitest';
import { RunnerError } from '../../src/index.js';
import { FakeWorker, TemporaryStore } from '../../src/testing/index.js';

const image = { data: new Uint8Array(12), width: 2, height: 2 };

async function open() {
  const store = await TemporaryStore.open();
  onTestFinished(() => store.close());
  const fake = new FakeWorker();
  for (const version of ['1', '2']) await store.deploy({ version, worker: fake, pids: ['A'] });
  return { store, fake, registry: store.registry, supervisor: store.supervise() };
}

test.each([
  ['productId', { productIds: ['A'] }, { productId: 'A' }],
  ['pid, for one minor version more', { pids: ['A'] }, { pid: 'A' }],
] as const)('product ids are given as %s: at the registry, in orders and in calls', async (_, list, one) => {
  const { fake, registry, supervisor } = await open();
  const ids = structuredClone(list) as unknown as { productIds: string[] };
  const id = one as unknown as { productId: string };
  await registry.activate({ name: 'sample', version: '1', ...ids });
  await registry.switch({ name: 'sample', version: '2', ...ids });
  expect(await registry.rollback(id)).toMatchObject({ pid: 'A', version: '1' });
  expect(await supervisor.execute({ ...id, stepIndex: 1, image })).toMatchObject({ version: '1' });
  expect(fake.calls[0]?.data.pid).toBe('A'); // as the protocol has it
  await supervisor.switch({ name: 'sample', version: '2', ...ids });
  await supervisor.rollback(id);
  await registry.deactivate(ids);
  expect(await registry.active()).toEqual({});
});

test('events and status tell product ids and processes under both names', async () => {
  const { registry, supervisor } = await open();
  const told: Record<string, object> = {};
  for (const name of ['ready', 'result', 'callFailed', 'switched', 'accepted', 'exit'] as const) {
    supervisor.on(name, (event: object) => (told[name] = event));
  }
  await registry.activate({ name: 'sample', version: '1', productIds: ['A'] });
  await supervisor.execute({ productId: 'A', stepIndex: 1, image });
  const processId = expect.any(Number) as number;
  expect(told.ready).toMatchObject({ processId });
  expect((told.ready as { pid: number }).pid).toBe((told.ready as { processId: number }).processId);
  expect(told.result).toMatchObject({ productId: 'A', pid: 'A' });
  expect(supervisor.status()).toMatchObject([{ processId, productIds: ['A'], workers: [{ processId }] }]);
  await expect(supervisor.execute({ productId: 'A', stepIndex: 0, image })).rejects.toThrow();
  expect(told.callFailed).toMatchObject({ productId: 'A', pid: 'A' });
  await supervisor.switch({ name: 'sample', version: '2', productIds: ['A'] });
  for (const name of ['switched', 'accepted'])
    expect(told[name]).toMatchObject({ productIds: ['A'], pids: ['A'] });
  await supervisor.close();
  expect(told.exit).toMatchObject({ processId });
});

test('details of a failure name product ids and processes under both names', () => {
  const holder = { host: 'station', pid: 7, operation: 'install', acquiredAt: '' };
  const { details } = new RunnerError('busy', 'x', { details: { pids: ['A'], holder, users: [holder] } });
  expect(details).toMatchObject({
    ...{ productIds: ['A'], pids: ['A'] },
    ...{ holder: { processId: 7, pid: 7 }, users: [{ processId: 7, pid: 7 }] },
  });
});

test.each([
  ['neither', {}, 'productIds'],
  ['an empty list', { productIds: [] }, 'productIds'],
  ['an empty list under the old name', { pids: [] }, 'pids'],
])('product ids that are %s are refused by the name they were given', async (_, given, path) => {
  const { registry } = await open();
  const activate = registry.activate({ name: 'sample', version: '1', ...given } as never);
  await expect(activate).rejects.toMatchObject({ code: 'invalid_params', details: { path } });
});
