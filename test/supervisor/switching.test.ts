import { describe, expect, test } from 'vitest';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import {
  image,
  mappedTo,
  next,
  otherRegistry,
  reached,
  threeVersions,
  to,
} from '../support/three-versions.js';

test('a switch under load loses no call: each is answered by the version that was active, the old one ends', async () => {
  const { supervisor, ask, versions, registry } = await threeVersions({ policy: { workers: 2 } });
  await supervisor.start('sample', '1');
  let going = true;
  const answers: { version: string; startedAt: number; endedAt: number }[] = [];
  const callers = [1, 2, 3].map(async () => {
    while (going) {
      const startedAt = performance.now();
      const { version } = await ask({ sleep_ms: 5 });
      answers.push({ version, startedAt, endedAt: performance.now() });
    }
  });
  const switchedAt = next(supervisor, 'switched').then(() => performance.now());
  const drained = next(supervisor, 'drained');
  await supervisor.switch(to('2'));
  await drained;
  await ask();
  going = false;
  await Promise.all(callers);
  const at = await switchedAt;
  for (const { version, startedAt, endedAt } of answers) {
    if (version === '1') expect(startedAt).toBeLessThan(at);
    else expect(endedAt).toBeGreaterThan(at - 1_000);
  }
  const after = answers.filter(({ startedAt }) => startedAt > at);
  expect(after.length).toBeGreaterThan(0);
  expect(new Set(after.map(({ version }) => version))).toEqual(new Set(['2']));
  await expect.poll(versions).toEqual(['2']);
  expect(supervisor.status()[0]?.workers).toHaveLength(2);
  expect(await mappedTo(registry)).toEqual(['2', '2']);
});

test('a call that runs at the old version is finished there', async () => {
  const { supervisor, ask, versions } = await threeVersions();
  await ask();
  const running = ask({ sleep_ms: 1_500 });
  await next(supervisor, 'state');
  const drained = next(supervisor, 'drained');
  await supervisor.switch(to('2'));
  expect(versions()).toEqual(['1', '2']);
  expect((await running).version).toBe('1');
  expect(await drained).toEqual({ name: 'sample', version: '1' });
  expect(versions()).toEqual(['2']);
});

test('the old version stays while another product id uses it', async () => {
  const { supervisor, ask, versions } = await threeVersions();
  await ask();
  await supervisor.switch(to('2', ['A']));
  expect(versions()).toEqual(['1', '2']);
  expect((await ask({}, 'B')).version).toBe('1');
  expect((await ask({}, 'A')).version).toBe('2');
});

describe('a new version that is no good changes nothing', () => {
  test('when it cannot start: start_failed', async () => {
    const { supervisor, ask, versions, registry } = await threeVersions({
      sources: { 2: 'raise RuntimeError("no licence")' },
    });
    await ask();
    await expect(supervisor.switch(to('2'))).rejects.toMatchObject({
      code: 'start_failed',
      message: expect.stringContaining('no licence') as string,
    });
    expect(versions()).toEqual(['1']);
    expect(await mappedTo(registry)).toEqual(['1', '1']);
  });

  test('when its warm-up is answered with ERROR: start_failed at stage warm-up', async () => {
    const { supervisor, ask, versions, registry } = await threeVersions();
    await ask();
    const warmUp = { image, userParams: { raise: 'no model for this lamp' } };
    await expect(supervisor.switch({ ...to('2'), warmUp })).rejects.toMatchObject({
      code: 'start_failed',
      details: { stage: 'warm-up' },
      message: expect.stringContaining('no model for this lamp') as string,
    });
    expect(versions()).toEqual(['1']);
    expect(await mappedTo(registry)).toEqual(['1', '1']);
  });

  test('when it does not support the id: invalid_pid, and nothing is started', async () => {
    const { supervisor, versions } = await threeVersions();
    await expect(supervisor.switch(to('2', ['A', 'C']))).rejects.toMatchObject({ code: 'invalid_pid' });
    expect(versions()).toEqual([]);
  });

  test('when it is aborted while it starts: aborted', async () => {
    const { supervisor, ask, versions, registry } = await threeVersions({
      sources: { 2: steeredAlgorithm({ onImport: 'time.sleep(60)' }) },
    });
    await ask();
    const controller = new AbortController();
    const switching = supervisor.switch({ ...to('2'), signal: controller.signal });
    supervisor.once('state', () => {
      controller.abort();
    });
    await expect(switching).rejects.toMatchObject({ code: 'aborted' });
    expect(versions()).toEqual(['1']);
    expect(await mappedTo(registry)).toEqual(['1', '1']);
  });
});

test('a warm-up call is made at each worker before anything is mapped', async () => {
  const { supervisor, ask } = await threeVersions({ policy: { workers: 2 } });
  const seen: string[] = [];
  supervisor.on('switched', () => seen.push('switched'));
  await supervisor.switch({ ...to('2'), warmUp: { image, calls: 2 } });
  expect(seen).toEqual(['switched']);
  expect(supervisor.status()[0]?.workers.map(({ calls }) => calls)).toEqual([2, 2]);
  expect((await ask()).data.debug).toMatchObject({ calls: 3 });
});

test('switches of one id at the same time: the newest is carried out, the older are superseded', async () => {
  const { supervisor, ask, versions, registry } = await threeVersions();
  await ask();
  const order: string[] = [];
  supervisor.on('switched', ({ version }) => order.push(version));
  const first = supervisor.switch(to('2'));
  const second = supervisor.switch(to('3', ['B']));
  const third = supervisor.switch(to('2'));
  await expect(first).rejects.toMatchObject({ code: 'superseded', details: { by: 'switch to sample 3' } });
  await expect(second).rejects.toMatchObject({ code: 'superseded' });
  await third;
  expect(order).toEqual(['2']);
  await expect.poll(versions).toEqual(['2']);
  expect(await mappedTo(registry)).toEqual(['2', '2']);
});

test('a switch of one id resolves while its old version is busy with another id without a pause', async () => {
  const { supervisor, ask, versions } = await threeVersions({ policy: { workers: 2 } });
  await supervisor.start('sample', '1');
  let going = true;
  const cameras = [1, 2].map(async () => {
    while (going) await ask({ sleep_ms: 40 }, 'B');
  });
  const drained: string[] = [];
  supervisor.on('drained', ({ version }) => drained.push(version));
  const accepted: string[][] = [];
  supervisor.on('accepted', ({ productIds: pids }) => accepted.push(pids));
  await supervisor.switch(to('2', ['A']));
  expect((await ask()).version).toBe('2');
  expect(accepted).toEqual([['A']]);
  // An emergency rollback, and an order for a third version, do not wait for the busy one either.
  await supervisor.rollback({ productId: 'A' });
  expect((await ask()).version).toBe('1');
  await supervisor.switch(to('3', ['A']));
  expect((await ask()).version).toBe('3');
  expect((await ask({}, 'B')).version).toBe('1');
  expect(versions()).toContain('1');
  expect(drained).not.toContain('1');
  going = false;
  await Promise.all(cameras);
});

test('a rollback comes through while a switch of the same id still warms up; the switch is superseded', async () => {
  const { supervisor, ask, registry } = await threeVersions({
    sources: { 3: steeredAlgorithm({ onImport: 'time.sleep(30)' }) },
  });
  await supervisor.switch(to('2'));
  const starting = reached(supervisor, '3', 'starting');
  const slow = supervisor.switch(to('3', ['A']));
  const outcome = expect(slow).rejects.toMatchObject({
    code: 'superseded',
    message: expect.stringContaining('rollback') as string,
  });
  await starting;
  await supervisor.rollback({ productId: 'A' });
  await outcome;
  expect(await mappedTo(registry)).toEqual(['1', '2']);
  expect((await ask()).version).toBe('1');
  expect(supervisor.status().map(({ version }) => version)).not.toContain('3');
});

test('a switch of another id does not wait for one that warms up for long', async () => {
  const { supervisor, ask } = await threeVersions({
    sources: { 3: steeredAlgorithm({ onImport: 'time.sleep(30)' }) },
  });
  const controller = new AbortController();
  const slow = supervisor.switch({ ...to('3', ['A']), signal: controller.signal });
  await supervisor.switch(to('2', ['B']));
  expect((await ask({}, 'B')).version).toBe('2');
  controller.abort();
  await expect(slow).rejects.toMatchObject({ code: 'aborted' });
});

test('a switch to the version that is active leaves its workers as they are', async () => {
  const { supervisor, ask } = await threeVersions();
  const before = (await ask()).data.debug as { worker_pid: number };
  await supervisor.switch(to('1'));
  expect((await ask()).data.debug).toMatchObject({ worker_pid: before.worker_pid, calls: 2 });
});

test('a switch to a version whose worker is being restarted waits until it is ready', async () => {
  const { supervisor, ask } = await threeVersions();
  await supervisor.start('sample', '2');
  const pid = supervisor.status()[0]?.workers[0]?.processId ?? 0;
  await ask();
  const exited = next(supervisor, 'exit');
  process.kill(pid, 'SIGKILL');
  await exited;
  await supervisor.switch(to('2'));
  expect(await ask()).toMatchObject({ version: '2', attempts: 1 });
});

test('a switch by another process is followed: the next call goes to the new version, the old one ends', async () => {
  const { supervisor, ask, registry } = await threeVersions();
  await ask();
  const other = await otherRegistry(registry);
  const stopped = reached(supervisor, '1', 'stopped');
  await other.switch(to('2'));
  expect((await ask()).version).toBe('2');
  await stopped;
  expect(supervisor.status().map(({ version }) => version)).toEqual(['2']);
});

describe('rollback by hand', () => {
  test('goes to the version before, ready before it is mapped', async () => {
    const { supervisor, ask, registry } = await threeVersions();
    await ask();
    await supervisor.switch(to('2'));
    await supervisor.rollback({ productId: 'A', operator: 'shift lead' });
    expect((await ask()).version).toBe('1');
    expect((await registry.active()).A).toMatchObject({ version: '1', operator: 'shift lead' });
    expect((await ask({}, 'B')).version).toBe('2');
  });

  test('goes to any version that is kept', async () => {
    const { supervisor, ask } = await threeVersions();
    await supervisor.switch(to('2'));
    await supervisor.switch(to('3'));
    await supervisor.rollback({ productId: 'A', to: { name: 'sample', version: '1' } });
    expect((await ask()).version).toBe('1');
  });

  test('without an earlier version is not_found', async () => {
    const { supervisor } = await threeVersions();
    await expect(supervisor.rollback({ productId: 'A' })).rejects.toMatchObject({ code: 'not_found' });
  });
});

test('a dry run of a switch rejects as the switch would, starts nothing and moves nothing', async () => {
  const { supervisor, registry, versions } = await threeVersions();
  await supervisor.switch({ ...to('2'), dryRun: true });
  await expect(supervisor.switch({ ...to('2', ['C']), dryRun: true })).rejects.toMatchObject({
    code: 'invalid_pid',
  });
  await expect(supervisor.switch({ ...to('9'), dryRun: true })).rejects.toMatchObject({ code: 'not_found' });
  expect(versions()).toEqual([]);
  expect(await mappedTo(registry)).toEqual(['1', '1']);
});
