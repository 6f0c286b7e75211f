import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { AlgorithmWorker, RunnerError } from '../../src/index.js';
import type { ProductIdList } from '../../src/product-ids.js';
import { pythonIn } from '../../src/python/environments/environment-paths.js';
import { record, shadow } from '../../src/recording/index.js';
import {
  buildPackage,
  FakeWorker,
  packageEntries,
  sampleAlgorithm,
  TemporaryStore,
} from '../../src/testing/index.js';

const image = { data: new Uint8Array(12), width: 2, height: 2 };

async function open() {
  const store = await TemporaryStore.open();
  onTestFinished(() => store.close());
  const fake = new FakeWorker();
  for (const version of ['1', '2']) await store.deploy({ version, worker: fake, productIds: ['A'] });
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
  const seen: Record<string, object> = {};
  for (const name of ['ready', 'result', 'callFailed', 'switched', 'accepted', 'exit'] as const) {
    supervisor.on(name, (event: object) => (seen[name] = event));
  }
  await registry.activate({ name: 'sample', version: '1', productIds: ['A'] });
  await supervisor.execute({ productId: 'A', stepIndex: 1, image });
  const processId = expect.any(Number) as number;
  expect(seen.ready).toMatchObject({ processId });
  expect((seen.ready as { pid: number }).pid).toBe((seen.ready as { processId: number }).processId);
  expect(seen.result).toMatchObject({ productId: 'A', pid: 'A' });
  expect(supervisor.status()).toMatchObject([{ processId, productIds: ['A'], workers: [{ processId }] }]);
  await expect(supervisor.execute({ productId: 'A', stepIndex: 0, image })).rejects.toThrow();
  expect(seen.callFailed).toMatchObject({ productId: 'A', pid: 'A' });
  await supervisor.switch({ name: 'sample', version: '2', productIds: ['A'] });
  for (const name of ['switched', 'accepted'])
    expect(seen[name]).toMatchObject({ productIds: ['A'], pids: ['A'] });
  await supervisor.close();
  expect(seen.exit).toMatchObject({ processId });
});

test('details of a failure name product ids and processes under both names', () => {
  const holder = { host: 'station', pid: 7, operation: 'install', acquiredAt: '' };
  const version = { name: 'sample', version: '1.0.0' };
  expect(new RunnerError('busy', 'x', { details: { ...version, holder } }).details).toMatchObject({
    holder: { processId: 7, pid: 7 },
  });
  const details = { ...version, pids: ['A'], users: [holder] };
  expect(new RunnerError('unsafe_uninstall', 'x', { details }).details).toMatchObject({
    ...{ productIds: ['A'], pids: ['A'], users: [{ processId: 7, pid: 7 }] },
  });
  expect(new RunnerError('not_found', 'x', { details: { productIds: ['B'] } }).details).toMatchObject({
    pids: ['B'],
  });
  const rollback = { ...version, rollbackProductIds: ['C'] };
  expect(new RunnerError('unsafe_uninstall', 'x', { details: rollback }).details).toMatchObject({
    rollbackPids: ['C'],
  });
});

test('two names that say different things are refused at every call that takes them, by the old name', async () => {
  const { registry, supervisor } = await open();
  await registry.activate({ name: 'sample', version: '1', productIds: ['A'] });
  const version = { name: 'sample', version: '2' };
  const both = { productIds: ['A'], pids: ['B'] };
  const one = { productId: 'A', pid: 'B' };
  const call = { ...one, stepIndex: 1, image } as never;
  const folder = { directory: path.join(registry.layout.root, 'recording') };
  const asked: [string, () => Promise<unknown>][] = [
    ['pids', () => registry.activate({ ...version, ...both })],
    ['pids', () => registry.switch({ ...version, ...both })],
    ['pids', () => registry.deactivate(both)],
    ['pids', () => registry.switchBack({ from: version, reason: 'x', ...both })],
    ['pid', () => registry.rollback(one)],
    ['pids', () => supervisor.switch({ ...version, ...both })],
    ['pid', () => supervisor.rollback(one)],
    ['pid', () => supervisor.execute(call)],
    ['pid', () => supervisor.execute({ ...one, target: version, stepIndex: 1, image })],
    ['pid', () => supervisor.preExecute(call)],
    ['pids', () => shadow(supervisor, { ...version, ...both })],
    ['pids', () => record(supervisor, { ...folder, ...both })],
    ['pids', () => buildPackage(both)],
    [
      'pids',
      async () => {
        await using store = await TemporaryStore.open();
        return await store.deploy(both);
      },
    ],
  ];
  const before = await readFile(registry.layout.registry, 'utf8');
  for (const [oldName, work] of asked) {
    const error = await work().catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: 'invalid_params', details: { path: oldName } });
    expect((error as Error).message).toContain('is the old name of');
  }
  expect(await readFile(registry.layout.registry, 'utf8')).toBe(before);
  expect(supervisor.status()).toEqual([]); // nothing was started for it
});

test('two names that say the same are taken, the ids in any order', async () => {
  const { registry, supervisor } = await open();
  const ids = { productIds: ['A', 'B'], pids: ['B', 'A', 'B'] };
  await expect(registry.deactivate(ids)).rejects.toMatchObject({ code: 'not_found' }); // past the check
  const same: ProductIdList = JSON.parse('{ "productIds": ["A"], "pids": ["A"] }') as ProductIdList;
  await registry.activate({ name: 'sample', version: '1', ...same });
  const call = { productId: 'A', pid: 'A', stepIndex: 1, image };
  expect(await supervisor.execute(call)).toMatchObject({ version: '1' });
});

test('the test kit gives product ids and processes the names of today, and keeps the old ones', async () => {
  const { fake, registry, supervisor } = await open();
  await registry.activate({ name: 'sample', version: '1', productIds: ['A'] });
  await supervisor.execute({ productId: 'A', stepIndex: 1, image });
  const [worker] = fake.processes as unknown as { processId: number; pid: number }[];
  expect(worker?.processId).toBe(supervisor.status()[0]?.processId);
  expect(worker?.pid).toBe(worker?.processId);
  const about = { generation: 'phased', name: 'sample', version: '1' } as const;
  const old = { pids: ['A'] };
  const source = sampleAlgorithm({ ...about, productIds: ['A'] });
  expect(source).toContain('"supported_pids": ["A"]');
  expect(sampleAlgorithm({ ...about, ...old })).toBe(source);
  const entries = await packageEntries({ productIds: ['A'] });
  expect(entries).toEqual(await packageEntries(old));
});

test('an AlgorithmWorker tells its process under both names, and takes the product id under both', async () => {
  const { fake, registry, supervisor } = await open();
  await supervisor.close();
  const { layout } = registry;
  await using worker = new AlgorithmWorker({
    ...{ name: 'sample', version: '1', root: layout.deployed('sample', '1'), entryPoint: 'main:Algorithm' },
    ...{ python: pythonIn(layout.venv('sample', '1')), frameDirectory: layout.root },
  });
  const old = worker as unknown as { pid: number };
  const ready = (await worker.start()) as unknown as { processId: number; pid: number };
  expect([ready.processId, ready.pid, worker.processId, old.pid]).toEqual(
    Array.from({ length: 4 }, () => fake.processes[0]?.processId),
  );
  const names: object[] = [{ productId: 'A' }, { pid: 'A' }];
  for (const id of names) {
    await worker.call({ phase: 'execute', stepIndex: 1, ...id });
  }
  expect(fake.calls.map(({ data }) => data.pid)).toEqual(['A', 'A']);
  const two: object = { productId: 'A', pid: 'B' };
  const differing = worker.call({ phase: 'execute', stepIndex: 1, ...two });
  await expect(differing).rejects.toMatchObject({ code: 'invalid_params', details: { path: 'pid' } });
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
