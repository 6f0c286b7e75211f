import { rm } from 'node:fs/promises';
import { expect, onTestFinished, test } from 'vitest';
import type { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';
import { FakeWorker, TemporaryStore } from '../../src/testing/index.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { IS_WINDOWS } from '../support/platform.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';

const image = { data: new Uint8Array(12), width: 2, height: 2 };
const call = { productId: 'A01', stepIndex: 1, image };
const policy = { backoffMs: 1, retries: 0, maxRestarts: 50, maxCrashes: 50 };

/** A version that runs, and the events with an error that are told from then on, with their codes. */
async function running(fake: FakeWorker, o: object = {}) {
  const store = await TemporaryStore.open();
  onTestFinished(() => store.close());
  const { name, version } = await store.deploy({ worker: fake });
  await store.registry.activate({ name, version, productIds: ['A01'] });
  const supervisor = store.supervise({ policy: { ...policy, ...o } });
  await supervisor.start(name, version);
  return { store, supervisor, events: told(supervisor) };
}

function told(supervisor: AlgorithmSupervisor): string[] {
  const events: string[] = [];
  for (const event of ['error', 'callFailed', 'exit'] as const) {
    supervisor.on(event, ({ error }) => {
      if (error) events.push(`${event} ${error.code}`);
    });
  }
  return events;
}

test('a frame that no call waits for is told by error alone', async () => {
  const fake = new FakeWorker();
  const { supervisor, events } = await running(fake);
  const [worker] = fake.processes;
  const reported = new Promise((resolve) => supervisor.once('error', resolve));
  worker?.send({ type: 'result', request_id: 'nobody', status: 'OK', message: '', data: {} });
  expect(await reported).toMatchObject({ worker: 0, error: { code: 'protocol_error' } });
  await supervisor.execute(call);
  expect(events).toEqual(['error protocol_error']);
});

test('a frame that may have been the answer rejects its call and ends its worker: no error besides', async () => {
  const fake = new FakeWorker();
  fake.answer('execute', (asked) => {
    asked.process.write(asked.process.frame('{"type": "result", "data": '));
    return asked.hang();
  });
  const { supervisor, events } = await running(fake);
  const again = new Promise((resolve) => supervisor.once('ready', resolve));
  await expect(supervisor.execute(call)).rejects.toMatchObject({ code: 'protocol_error' });
  await again;
  expect(events.sort()).toEqual(['callFailed protocol_error', 'exit protocol_error']);
});

test('a rejected call of each kind is told by callFailed alone', async () => {
  const fake = new FakeWorker();
  fake.answer('execute', (asked) => asked.hang());
  const { supervisor, events } = await running(fake, { executeTimeoutMs: 50 });
  await expect(supervisor.execute({ ...call, stepIndex: 0 })).rejects.toMatchObject({
    code: 'invalid_params',
  });
  await expect(supervisor.execute({ ...call, productId: 'B' })).rejects.toMatchObject({ code: 'not_found' });
  const again = new Promise((resolve) => supervisor.once('ready', resolve));
  await expect(supervisor.execute(call)).rejects.toMatchObject({ code: 'timeout' });
  await again;
  expect(events.filter((one) => !one.startsWith('exit'))).toEqual([
    'callFailed invalid_params',
    'callFailed not_found',
    'callFailed timeout',
  ]);
});

test('an answer that was on its way when its call was aborted is no fault of its worker, and told by no error', async () => {
  const { registry, supervisor } = await openSupervised({ policy });
  await deployVersion(registry, { source: steeredAlgorithm() });
  await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  await supervisor.execute(call);
  const events = told(supervisor);
  const again = new Promise((resolve) => supervisor.once('ready', resolve));
  const given = new AbortController();
  const aborted = supervisor.execute({ ...call, userParams: { sleep_ms: 200 } }, { signal: given.signal });
  // This process stands still while the answer comes, and finds it when the call is over.
  setTimeout(() => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500);
    given.abort();
  }, 100);
  await expect(aborted).rejects.toMatchObject({ code: 'aborted' });
  await again;
  expect(events.filter((one) => one.startsWith('error'))).toEqual([]);
});

test('a restart that ends before it is ready is told by the exit of its process alone', async () => {
  let starts = 0;
  const fake = new FakeWorker({
    start: async (worker) => {
      if (++starts === 2) await worker.exit(3);
      else worker.hello();
    },
  });
  const { supervisor, events } = await running(fake);
  const again = new Promise((resolve) => supervisor.once('ready', resolve));
  await fake.processes[0]?.die();
  await again;
  expect(fake.processes).toHaveLength(3);
  expect(events).toEqual(['exit worker_exited', 'exit worker_exited']);
});

// Windows removes no folder that a process works in.
test.skipIf(IS_WINDOWS)(
  'a restart that has no process, because its folder is gone, is told by error alone',
  async () => {
    const fake = new FakeWorker();
    const { store, supervisor, events } = await running(fake);
    await rm(store.registry.layout.deployed('sample', '1.0.0'), { recursive: true });
    const failed = new Promise((resolve) => supervisor.once('error', resolve));
    await fake.processes[0]?.die();
    expect(await failed).toMatchObject({ error: { code: 'start_failed' } });
    await supervisor.close();
    expect(events[0]).toBe('exit worker_exited');
    expect(new Set(events.slice(1))).toEqual(new Set(['error start_failed']));
  },
);
