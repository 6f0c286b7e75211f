import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { FakeWorker, TemporaryStore } from '../../src/testing/index.js';
import { Registry } from '../../src/registry/registry.js';
import { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';

const image = { data: Uint8Array.from({ length: 12 }, (_, index) => index), width: 2, height: 2 };

async function withFake(
  work: (o: { store: TemporaryStore; fake: FakeWorker; supervisor: AlgorithmSupervisor }) => Promise<void>,
  options: ConstructorParameters<typeof FakeWorker>[0] = {},
): Promise<void> {
  await using store = await TemporaryStore.open();
  const fake = new FakeWorker(options);
  await store.deploy({ worker: fake, productIds: ['A01'] });
  await store.registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  await work({ store, fake, supervisor: store.supervise({ policy: { backoffMs: 1 } }) });
}

describe('a version of a fake worker', () => {
  test.each(['phased', 'execute-only'] as const)(
    'of the %s generation is routed by its pid, and the worker finds the pixels',
    async (generation) => {
      await withFake(
        async ({ fake, supervisor }) => {
          const held = fake.hold();
          const result = supervisor.execute({ productId: 'A01', stepIndex: 1, image, guideImage: 'same' });
          const call = await held;
          expect(await call.image()).toEqual({ ...image, channels: 3 });
          call.answer();
          expect(await result).toMatchObject({ status: 'OK', version: '1.0.0' });
        },
        { generation },
      );
    },
  );

  test('has an image no more once its call is over', async () => {
    await withFake(async ({ fake, supervisor }) => {
      await supervisor.execute({
        productId: 'A01',
        stepIndex: 1,
        image: { ...image, data: image.data.slice() },
      });
      await supervisor.close();
      expect(await fake.calls[0]?.image()).toBeUndefined();
    });
  });

  test('tells of itself what its manifest says', async () => {
    await withFake(async ({ supervisor }) => {
      const about = { name: 'sample', version: '1.0.0', supported_pids: ['A01'] };
      expect(await supervisor.info('sample', '1.0.0')).toMatchObject(about);
    });
  });

  test('crashes in a call: the next process of the same fake answers', async () => {
    await withFake(async ({ fake, supervisor }) => {
      fake.answerOnce('execute', (call) => call.process.exit(9));
      expect(await supervisor.execute({ productId: 'A01', stepIndex: 1, image })).toMatchObject({
        attempts: 2,
      });
      expect(fake.processes.map(({ hasEnded }) => hasEnded)).toEqual([true, false]);
      expect(fake.calls.map((call) => call.process.index)).toEqual([0, 1]);
    });
  });

  test('serves a pool: as many calls are held at once as there are workers', async () => {
    await withFake(async ({ fake, supervisor }) => {
      await supervisor.start('sample', '1.0.0', { workers: 3 });
      const held = [fake.hold(), fake.hold(), fake.hold()];
      const results = held.map(() => supervisor.execute({ productId: 'A01', stepIndex: 1, image }));
      const calls = await Promise.all(held);
      expect(supervisor.status()[0]).toMatchObject({ inFlight: 3 });
      for (const call of calls) call.answer();
      expect(new Set((await Promise.all(results)).map(({ worker }) => worker)).size).toBe(3);
    });
  });

  test('a second host in this process gets its processes too', async () => {
    await withFake(async ({ store, fake }) => {
      await using registry = await Registry.open(store.root);
      await using supervisor = new AlgorithmSupervisor({ registry });
      await supervisor.execute({ productId: 'A01', stepIndex: 1, image });
      expect(fake.processes).toHaveLength(1);
    });
  });
});

test('a registry entry names no program: worker_command in it starts nothing', async () => {
  await using store = await TemporaryStore.open();
  const entry = await store.deploy();
  const trace = path.join(store.folder, 'trace');
  const leavesTrace = `require('fs').writeFileSync(${JSON.stringify(trace)}, '')`;
  const named = { ...entry, worker_command: [process.execPath, '-e', leavesTrace] };
  await store.registry.register(named);
  const { status } = await store
    .supervise()
    .execute({ target: { name: entry.name, version: entry.version }, stepIndex: 1, image });
  expect(status).toBe('OK');
  expect(await readdir(store.folder)).toEqual([]);
});

test('a version of the stand-in SDK runs on the Python at hand', async () => {
  await using store = await TemporaryStore.open();
  const { name, version } = await store.deploy();
  const { data } = await store.supervise().execute({ target: { name, version }, stepIndex: 1, image });
  expect(data).toMatchObject({ result_status: 'OK', debug: { size: 12, first: [0, 1, 2] } });
});

test('a package that is delivered is found by a deployer of the store', async () => {
  await using store = await TemporaryStore.open();
  const zip = await store.deliver({ version: '2.0.0', sdk: null });
  expect(await store.deployer().scan()).toMatchObject([{ name: 'sample', version: '2.0.0', path: zip }]);
});

test('closing it ends what was opened of it and removes the folder; closing it again does nothing', async () => {
  const store = await TemporaryStore.open();
  const fake = new FakeWorker();
  const { name, version } = await store.deploy({ worker: fake });
  const supervisor = store.supervise();
  await supervisor.start(name, version);
  await writeFile(path.join(store.folder, 'note'), '');
  await store.close();
  await store.close();
  expect(fake.processes.map(({ hasEnded }) => hasEnded)).toEqual([true]);
  expect(existsSync(path.dirname(store.root))).toBe(false);
  await expect(supervisor.start(name, version)).rejects.toMatchObject({ code: 'closed' });
  await expect(store.registry.list()).rejects.toMatchObject({ code: 'closed' });
});
