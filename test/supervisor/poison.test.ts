import { expect, onTestFinished, test } from 'vitest';
import { FakeWorker, TemporaryStore } from '../../src/testing/index.js';

const image = (value: number) => ({ data: new Uint8Array(12).fill(value), width: 2, height: 2 });

test('pictures that crash an algorithm are tried three times each, count once each, and cost the others nothing', async () => {
  const store = await TemporaryStore.open();
  onTestFinished(() => store.close());
  const fake = new FakeWorker({
    answers: {
      execute: async (call) => {
        if ((await call.image())?.data[0] === 66) await call.process.die('SIGSEGV');
      },
    },
  });
  await store.deploy({ worker: fake });
  await store.registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  const supervisor = store.supervise({ policy: { workers: 3, coolDownMs: 600_000 } });
  const circuits: string[] = [];
  supervisor.on('circuitOpen', ({ reason }) => circuits.push(reason));
  const ask = (value: number) => supervisor.execute({ productId: 'A01', stepIndex: 1, image: image(value) });
  for (let n = 0; n < 3; n++) expect(await ask(n)).toMatchObject({ status: 'OK' });
  const poisonous = await Promise.allSettled([ask(66), ask(66)]);
  const lost = { status: 'rejected', reason: { code: 'worker_exited' } };
  expect(poisonous).toMatchObject([lost, lost]);
  for (let n = 0; n < 6; n++) expect(await ask(n)).toMatchObject({ status: 'OK' });
  expect(circuits).toEqual([]);
  expect(supervisor.status()[0]?.circuit).toBe('closed');
});

test('many different pictures that crash one worker leave it alone for a while, and the healthy ones go on', async () => {
  const store = await TemporaryStore.open();
  onTestFinished(() => store.close());
  const fake = new FakeWorker();
  await store.deploy({ worker: fake });
  const target = { name: 'sample', version: '1.0.0' };
  const supervisor = store.supervise({
    policy: { workers: 2, retries: 0, maxCrashes: 2, maxBackoffMs: 600_000, coolDownMs: 600_000 },
  });
  await supervisor.start('sample', '1.0.0');
  const ask = () => supervisor.execute({ target, stepIndex: 1, image: image(1) });
  // Both have answered: they are healthy.
  await Promise.all([ask(), ask()]);
  for (let n = 0; n < 2; n++) {
    const isBack = new Promise((resolve) => supervisor.once('ready', resolve));
    fake.answerOnce('execute', (call) => call.process.die('SIGSEGV').then(() => undefined));
    await expect(ask()).rejects.toMatchObject({ code: 'worker_exited' });
    if (n > 0) continue; // the place is left alone now
    await isBack;
    await Promise.all([ask(), ask()]);
  }
  expect(supervisor.status()[0]?.circuit).toBe('closed');
  expect(await ask()).toMatchObject({ status: 'OK' });
});
