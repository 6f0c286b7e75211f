import { expect, onTestFinished, test, vi } from 'vitest';
import { Registry, AlgorithmSupervisor, type SupervisorPolicy } from '../../src/index.js';
import { FakeWorker, TemporaryStore } from '../../src/testing/index.js';

const image = { data: new Uint8Array(12), width: 2, height: 2 };

async function open(policy: Partial<SupervisorPolicy> = {}) {
  const store = await TemporaryStore.open({ pollMs: 20 });
  onTestFinished(() => store.close());
  const fakes = new Map<string, FakeWorker>();
  const broken = new Set<string>();
  for (const version of ['1', '2', '3']) {
    const worker = new FakeWorker({
      start: (process) => {
        if (broken.has(version)) throw new Error('no licence');
        process.hello();
      },
    });
    fakes.set(version, worker);
    await store.deploy({ version, worker, productIds: ['A', 'B', 'C', 'D'] });
  }
  const supervisor = store.supervise({ policy });
  const workers = (name = 'sample', version = '1', of = supervisor) =>
    of.status().find((one) => one.name === name && one.version === version)?.workers.length;
  return { store, registry: store.registry, supervisor, fakes, broken, workers };
}

test('a configured policy is kept in the store, comes before the supervisor’s, and is shown', async () => {
  const { store, supervisor, fakes } = await open({ executeTimeoutMs: 60_000, workers: 1 });
  await supervisor.configure('sample', '1', { executeTimeoutMs: 50, workers: 2, env: { LAMP: 'red' } });
  await using registry = await Registry.open(store.root, { durability: 'none' });
  await using other = new AlgorithmSupervisor({ registry, policy: { env: { CAMERA: 'left' }, retries: 0 } });
  await other.start('sample', '1');
  expect(other.status()).toMatchObject([
    { version: '1', policy: { executeTimeoutMs: 50, workers: 2, env: { LAMP: 'red' } }, workers: [{}, {}] },
  ]);
  expect(fakes.get('1')?.processes[0]?.environment).toMatchObject({ LAMP: 'red', CAMERA: 'left' });
  fakes.get('1')?.answerOnce('execute', (call) => call.hang());
  const asked = other.execute({ target: { name: 'sample', version: '1' }, stepIndex: 1, image });
  await expect(asked).rejects.toMatchObject({ code: 'timeout', details: { timeoutMs: 50 } });
});

test('whether parameters are checked is in force for the next call of a version that runs', async () => {
  const { registry, supervisor } = await open();
  const entry = await registry.get('sample', '1');
  const steps = [{ index: 1, name: 'one', params: [{ key: 'least', type: 'int' as const, min: 0, max: 9 }] }];
  if (entry) await registry.register({ ...entry, steps });
  await registry.activate({ name: 'sample', version: '1', productIds: ['A'] });
  const ask = (userParams: object) =>
    supervisor.execute({ productId: 'A', stepIndex: 1, image, userParams: { ...userParams } });
  await ask({ least: 5 });
  await expect(ask({ least: 50 })).rejects.toMatchObject({ code: 'invalid_params' });
  await supervisor.configure('sample', '1', { parameters: 'pass' });
  expect(await ask({ least: 50 })).toMatchObject({ status: 'OK' });
  await supervisor.configure('sample', '1', {});
  await expect(ask({ least: 50 })).rejects.toMatchObject({ code: 'invalid_params' });
});

test('a change while the version runs gives it more workers, or fewer, and no call is lost', async () => {
  const { registry, supervisor, workers, fakes } = await open();
  await registry.activate({ name: 'sample', version: '1', productIds: ['A'] });
  const fake = fakes.get('1');
  const asked = () => supervisor.execute({ productId: 'A', stepIndex: 1, image });
  await asked();
  await supervisor.configure('sample', '1', { workers: 3 });
  expect(workers()).toBe(3);
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  fake?.answer('execute', () => held);
  const calls = [asked(), asked(), asked()];
  await vi.waitFor(() => {
    expect(supervisor.status()[0]?.inFlight).toBe(3);
  }, 20_000);
  await supervisor.configure('sample', '1', { workers: 1 });
  expect(workers()).toBe(1);
  release();
  expect((await Promise.all(calls)).map(({ status }) => status)).toEqual(['OK', 'OK', 'OK']);
  await vi.waitFor(() => {
    expect(fake?.processes.filter(({ hasEnded }) => !hasEnded)).toHaveLength(1);
  }, 20_000);
  expect(await asked()).toMatchObject({ worker: 0 });
  await supervisor.configure('sample', '1', {});
  expect(supervisor.status()[0]?.policy).toEqual({});
});

test('start() of a version that runs gives it the workers that are asked for, and scale() too', async () => {
  const { supervisor, workers } = await open();
  await supervisor.start('sample', '1');
  await supervisor.start('sample', '1', { workers: 3 });
  expect(workers()).toBe(3);
  await supervisor.start('sample', '1');
  expect(workers()).toBe(3);
  await supervisor.scale('sample', '1', 2);
  expect(workers()).toBe(2);
  await expect(supervisor.scale('sample', '2', 2)).rejects.toMatchObject({ code: 'not_initialized' });
});

test('options of a start come before what is configured', async () => {
  const { supervisor, workers } = await open();
  await supervisor.configure('sample', '1', { workers: 3 });
  await supervisor.start('sample', '1', { workers: 2 });
  expect(workers()).toBe(2);
});

test('another process that configures a version changes it here, while it runs', async () => {
  const { store, supervisor, workers } = await open();
  await supervisor.start('sample', '1');
  await using registry = await Registry.open(store.root, { durability: 'none' });
  await registry.configure({ name: 'sample', version: '1', policy: { workers: 2 } });
  await vi.waitFor(() => {
    expect(workers()).toBe(2);
  }, 20_000);
});

test('scaling up to workers that cannot start rejects and leaves as many as before', async () => {
  const { supervisor, workers, broken } = await open();
  await supervisor.start('sample', '1');
  broken.add('1');
  await expect(supervisor.scale('sample', '1', 2)).rejects.toMatchObject({ code: 'start_failed' });
  expect(workers()).toBe(1);
  expect(
    await supervisor.execute({ target: { name: 'sample', version: '1' }, stepIndex: 1, image }),
  ).toMatchObject({ status: 'OK' });
});

test('a policy that cannot be is refused before anything is kept', async () => {
  const { registry, supervisor } = await open();
  const configure = (policy: object) => supervisor.configure('sample', '1', policy);
  await expect(configure({ wokers: 2 })).rejects.toMatchObject({
    ...{ code: 'invalid_params', message: expect.stringContaining('Did you mean workers?') as string },
  });
  await expect(configure({ retryTimeouts: true })).rejects.toMatchObject({ code: 'invalid_params' });
  await expect(configure({ workers: NaN })).rejects.toMatchObject({ details: { path: 'workers' } });
  await expect(supervisor.configure('sample', '9', {})).rejects.toMatchObject({ code: 'not_found' });
  expect(registry.policyOf('sample', '1')).toBeUndefined();
});

test('an uninstalled version takes its policy with it', async () => {
  const { registry, supervisor, store } = await open();
  await supervisor.configure('sample', '3', { workers: 2 });
  await store.deployer().uninstall('sample', '3');
  await store.deploy({ version: '3', worker: new FakeWorker() });
  expect(registry.policyOf('sample', '3')).toBeUndefined();
});

test('startActive() starts what is mapped in the order of the mappings, so many at once, with one report', async () => {
  const { registry, supervisor, broken } = await open();
  // Mappings are told apart by milliseconds.
  const laterThan = async (productId: string) => {
    const at = (await registry.active())[productId]?.activated_at ?? '';
    await expect.poll(() => new Date().toISOString(), { interval: 1 }).not.toBe(at);
  };
  await registry.activate({ name: 'sample', version: '2', productIds: ['B', 'C'] });
  await laterThan('B');
  await registry.activate({ name: 'sample', version: '1', productIds: ['A'] });
  await laterThan('A');
  await registry.activate({ name: 'sample', version: '3', productIds: ['D'] });
  broken.add('1');
  const states: string[] = [];
  supervisor.on('state', ({ version, state }) => states.push(`${version} ${state}`));
  const report = await supervisor.startActive({ atOnce: 1 });
  expect(report).toMatchObject({
    started: [
      { version: '2', productIds: ['B', 'C'], workers: 1 },
      { version: '3', productIds: ['D'], workers: 1 },
    ],
    failed: [{ version: '1', productIds: ['A'], error: { code: 'start_failed' } }],
  });
  const order = states.filter((one) => /starting|running|stopped/.test(one));
  expect(order).toEqual(['2 starting', '2 running', '1 starting', '1 stopped', '3 starting', '3 running']);
  expect(supervisor.status().map(({ version, productIds }) => [version, productIds])).toEqual([
    ['2', ['B', 'C']],
    ['3', ['D']],
  ]);
});
