import { expect, test } from 'vitest';
import { FakeWorker, TemporaryStore, VirtualClock } from '../../src/testing/index.js';

test('runs what is due in its order, each at its own time, also what is set meanwhile', () => {
  const clock = new VirtualClock();
  const ran: string[] = [];
  const note = (name: string) => () => ran.push(`${name} at ${clock.now()}`);
  clock.after(20, note('later'));
  clock.after(10, () => {
    note('first')();
    clock.after(5, note('between'));
  });
  const cancel = clock.after(12, note('cancelled'));
  cancel();
  clock.after(40, note('not yet'));
  clock.advance(30);
  expect(ran).toEqual(['first at 10', 'between at 15', 'later at 20']);
  expect(clock.now()).toBe(30);
  expect(clock.pending).toBe(1);
});

test('a circuit cools down in no time: one worker is tried when the clock says so, and not before', async () => {
  await using store = await TemporaryStore.open();
  const fake = new FakeWorker();
  await store.deploy({ worker: fake });
  const clock = new VirtualClock();
  const supervisor = store.supervise({ clock, policy: { retries: 0, maxCrashes: 3, backoffMs: 0 } });
  const call = () =>
    supervisor.execute({
      target: { name: 'sample', version: '1.0.0' },
      stepIndex: 1,
      image: { data: new Uint8Array(12), width: 2, height: 2 },
    });
  for (let crash = 1; crash <= 3; crash++) {
    fake.answerOnce('execute', ({ process }) => process.exit(9));
    await expect(call()).rejects.toMatchObject({ code: 'worker_exited' });
  }
  await expect(call()).rejects.toMatchObject({ code: 'circuit_open' });
  await Promise.all(fake.processes.map(({ ended }) => ended));
  clock.advance(29_999);
  expect(supervisor.status()[0]?.circuit).toBe('open');
  const ready = new Promise((resolve) => supervisor.once('ready', resolve));
  clock.advance(1);
  await ready;
  expect(await call()).toMatchObject({ status: 'OK' });
  expect(supervisor.status()[0]?.circuit).toBe('closed');
});

test('limits of calls go by the clock: a call that hangs ends when the clock says so, and not before', async () => {
  await using store = await TemporaryStore.open();
  const fake = new FakeWorker();
  await store.deploy({ worker: fake });
  const clock = new VirtualClock();
  const supervisor = store.supervise({ clock, policy: { executeTimeoutMs: 3_600_000, retries: 0 } });
  await supervisor.start('sample', '1.0.0');
  const held = fake.hold();
  const image = { data: new Uint8Array(12), width: 2, height: 2 };
  const target = { name: 'sample', version: '1.0.0' };
  const call = supervisor.execute({ target, stepIndex: 1, image });
  let hasEnded = false;
  call.catch(() => (hasEnded = true));
  await held;
  clock.advance(3_599_999);
  await new Promise((resolve) => setImmediate(resolve));
  expect(hasEnded).toBe(false);
  clock.advance(1);
  await expect(call).rejects.toMatchObject({ code: 'timeout', details: { timeoutMs: 3_600_000 } });
});

test.each([NaN, -1, Infinity, '1', null, undefined])('advance(%j) is refused in words', (ms) => {
  const clock = new VirtualClock();
  expect(() => {
    clock.advance(ms as number);
  }).toThrow(expect.objectContaining({ code: 'invalid_params', details: { path: 'ms' } }));
  expect(clock.now()).toBe(0);
});

test.each([
  ['answer', ['exeucte', {}], 'phase'],
  ['answer', ['execute', 'OK'], 'response'],
  ['answerOnce', ['execute', undefined], 'response'],
] as const)('%s%j of a fake is refused in words', (method, [phase, response], path) => {
  const fake = new FakeWorker();
  expect(() => fake[method](phase as 'execute', response as object)).toThrow(
    expect.objectContaining({ code: 'invalid_params', details: { path } }),
  );
});
