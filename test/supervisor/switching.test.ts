import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Registry } from '../../src/registry/registry.js';
import type { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';
import type { SupervisorPolicy } from '../../src/supervisor/policy.js';
import type { SupervisorEvents } from '../../src/supervisor/types.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';

const image = { data: new Uint8Array(12).fill(50), width: 2, height: 2 };

/** Versions 1 and 2 (and 3) deployed, `A` and `B` active at 1. */
async function open(o: { policy?: Partial<SupervisorPolicy>; sources?: Record<string, string> } = {}) {
  const { registry, supervisor } = await openSupervised({ policy: o.policy });
  for (const version of ['1', '2', '3']) {
    const source = o.sources?.[version] ?? steeredAlgorithm();
    await deployVersion(registry, { version, source, pids: ['A', 'B'] });
  }
  await registry.activate({ name: 'sample', version: '1', pids: ['A', 'B'] });
  const ask = (userParams: Record<string, unknown> = {}, pid = 'A', timeoutMs?: number) =>
    supervisor.execute({ pid, stepIndex: 1, image, userParams, timeoutMs });
  const versions = () => supervisor.status().map(({ version }) => version);
  return { registry, supervisor, ask, versions };
}

const to = (version: string, pids = ['A', 'B']) => ({ name: 'sample', version, pids });

function next<Name extends keyof SupervisorEvents>(
  supervisor: AlgorithmSupervisor,
  name: Name,
): Promise<SupervisorEvents[Name][0]> {
  return new Promise((resolve) => {
    supervisor.once(name, (event: SupervisorEvents[Name][0]) => {
      resolve(event);
    });
  });
}

async function mappedTo(registry: Registry): Promise<(string | undefined)[]> {
  const active = await registry.active();
  return [active.A?.version, active.B?.version];
}

test('a switch under load loses no call: each is answered by the version that was active, the old one ends', async () => {
  const { supervisor, ask, versions, registry } = await open({ policy: { workers: 2 } });
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
  await supervisor.switch(to('2'));
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
  expect(versions()).toEqual(['2']);
  expect(supervisor.status()[0]?.workers).toHaveLength(2);
  expect(await mappedTo(registry)).toEqual(['2', '2']);
});

test('a call that runs at the old version is finished there', async () => {
  const { supervisor, ask, versions } = await open();
  await ask();
  const running = ask({ sleep_ms: 1_500 });
  await next(supervisor, 'state');
  await supervisor.switch(to('2'));
  expect((await running).version).toBe('1');
  expect(versions()).toEqual(['2']);
});

test('the old version stays while another product id uses it', async () => {
  const { supervisor, ask, versions } = await open();
  await ask();
  await supervisor.switch(to('2', ['A']));
  expect(versions().sort()).toEqual(['1', '2']);
  expect((await ask({}, 'B')).version).toBe('1');
  expect((await ask({}, 'A')).version).toBe('2');
});

describe('a new version that is no good changes nothing', () => {
  test('when it cannot start: start_failed', async () => {
    const { supervisor, ask, versions, registry } = await open({
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
    const { supervisor, ask, versions, registry } = await open();
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
    const { supervisor, versions } = await open();
    await expect(supervisor.switch(to('2', ['A', 'C']))).rejects.toMatchObject({ code: 'invalid_pid' });
    expect(versions()).toEqual([]);
  });

  test('when it is aborted while it starts: aborted', async () => {
    const { supervisor, ask, versions, registry } = await open({
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
  const { supervisor, ask } = await open({ policy: { workers: 2 } });
  const seen: string[] = [];
  supervisor.on('switched', () => seen.push('switched'));
  await supervisor.switch({ ...to('2'), warmUp: { image, calls: 2, userParams: { sleep_ms: 50 } } });
  expect(seen).toEqual(['switched']);
  expect(supervisor.status()[0]?.workers.map(({ calls }) => calls)).toEqual([2, 2]);
  expect((await ask()).data.debug).toMatchObject({ calls: 3 });
});

test('switches at the same time are made one after the other, and the last one stands', async () => {
  const { supervisor, ask, versions, registry } = await open();
  await ask();
  const order: string[] = [];
  supervisor.on('switched', ({ version }) => order.push(version));
  await Promise.all([supervisor.switch(to('2')), supervisor.switch(to('3')), supervisor.switch(to('2'))]);
  expect(order).toEqual(['2', '3', '2']);
  expect(versions()).toEqual(['2']);
  expect(await mappedTo(registry)).toEqual(['2', '2']);
});

test('a switch to the version that is active leaves its workers as they are', async () => {
  const { supervisor, ask } = await open();
  const before = (await ask()).data.debug as { worker_pid: number };
  await supervisor.switch(to('1'));
  expect((await ask()).data.debug).toMatchObject({ worker_pid: before.worker_pid, calls: 2 });
});

test('a switch to a version whose worker is being restarted waits until it is ready', async () => {
  const { supervisor, ask } = await open();
  await supervisor.start('sample', '2');
  const pid = supervisor.status()[0]?.workers[0]?.pid ?? 0;
  await ask();
  const exited = next(supervisor, 'exit');
  process.kill(pid, 'SIGKILL');
  await exited;
  await supervisor.switch(to('2'));
  expect(await ask()).toMatchObject({ version: '2', attempts: 1 });
});

test('a switch by another process is followed: the next call goes to the new version, the old one ends', async () => {
  const { supervisor, ask, registry } = await open();
  await ask();
  const other = await Registry.open(registry.layout);
  onTestFinished(() => other.close());
  const stopped = new Promise<void>((resolve) => {
    supervisor.on('state', ({ version, state }) => {
      if (version === '1' && state === 'stopped') resolve();
    });
  });
  await other.switch(to('2'));
  expect((await ask()).version).toBe('2');
  await stopped;
  expect(supervisor.status().map(({ version }) => version)).toEqual(['2']);
});

describe('rollback by hand', () => {
  test('goes to the version before, ready before it is mapped', async () => {
    const { supervisor, ask, registry } = await open();
    await ask();
    await supervisor.switch(to('2'));
    await supervisor.rollback({ pid: 'A', operator: 'shift lead' });
    expect((await ask()).version).toBe('1');
    expect((await registry.active()).A).toMatchObject({ version: '1', operator: 'shift lead' });
    expect((await ask({}, 'B')).version).toBe('2');
  });

  test('goes to any version that is kept', async () => {
    const { supervisor, ask } = await open();
    await supervisor.switch(to('2'));
    await supervisor.switch(to('3'));
    await supervisor.rollback({ pid: 'A', to: { name: 'sample', version: '1' } });
    expect((await ask()).version).toBe('1');
  });

  test('without an earlier version is not_found', async () => {
    const { supervisor } = await open();
    await expect(supervisor.rollback({ pid: 'A' })).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('probation', () => {
  const bad = steeredAlgorithm({ extra: '' }).replace('asked = user_params or {}', 'os._exit(9)');

  test('a version that crashes is left within a second: the old one, kept ready, serves again and the bad one is barred', async () => {
    const { supervisor, ask, versions, registry } = await open({
      policy: { retries: 0 },
      sources: { 2: bad },
    });
    await ask();
    await supervisor.switch({ ...to('2'), probation: { maxCrashes: 2 } });
    expect(versions().sort()).toEqual(['1', '2']);
    const back = next(supervisor, 'switchedBack');
    let crashedAt = 0;
    supervisor.on('exit', () => (crashedAt = performance.now()));
    for (let n = 0; n < 2; n++) await expect(ask()).rejects.toMatchObject({ code: 'worker_exited' });
    expect(await back).toEqual({
      name: 'sample',
      version: '2',
      pids: ['A', 'B'],
      to: [{ name: 'sample', version: '1' }],
      reason: 'its workers crashed 2 times',
    });
    expect(performance.now() - crashedAt).toBeLessThan(1_000);
    expect(await ask()).toMatchObject({ version: '1', attempts: 1 });
    expect((await registry.active()).A?.barred).toMatchObject([
      { version: '2', reason: 'its workers crashed 2 times' },
    ]);
    const log = await readFile(path.join(registry.layout.logs, 'package_activate.log'), 'utf8');
    expect(log).toContain('"operation":"switch back"');
    await expect(supervisor.switch(to('2'))).rejects.toMatchObject({ code: 'version_barred' });
    await supervisor.switch({ ...to('2'), force: true });
    expect(await mappedTo(registry)).toEqual(['2', '2']);
  });

  test('a version that answers ERROR too often is left', async () => {
    const failing = steeredAlgorithm().replace('asked = user_params or {}', 'raise ValueError("no")');
    const { supervisor, ask } = await open({ sources: { 2: failing } });
    await ask();
    await supervisor.switch({ ...to('2'), probation: { minCalls: 3, maxErrorRate: 0.5 } });
    const back = next(supervisor, 'switchedBack');
    for (let n = 0; n < 3; n++) expect(await ask()).toMatchObject({ status: 'ERROR', version: '2' });
    expect(await back).toMatchObject({ reason: '3 of 3 calls failed' });
    expect(await ask()).toMatchObject({ status: 'OK', version: '1' });
  });

  test('a version that is much slower is left', async () => {
    const slow = steeredAlgorithm().replace(
      'asked = user_params or {}',
      'asked = user_params or {}; time.sleep(0.6)',
    );
    const { supervisor, ask } = await open({ sources: { 2: slow } });
    for (let n = 0; n < 10; n++) await ask();
    await supervisor.switch({ ...to('2'), probation: { minCalls: 3, maxLatencyRatio: 2 } });
    const back = next(supervisor, 'switchedBack');
    for (let n = 0; n < 3; n++) await ask();
    expect(await back).toMatchObject({ reason: expect.stringContaining('usual') as string });
  });

  test('a version that times out too often is left', async () => {
    const { supervisor, ask, registry } = await open({ policy: { retries: 0 } });
    const hang = () => ask({ sleep_ms: 60_000 }, 'A', 300);
    await ask();
    await supervisor.switch({ ...to('2'), probation: { minCalls: 2, maxTimeoutRate: 0.5, maxCrashes: 9 } });
    const back = next(supervisor, 'switchedBack');
    const replaced = next(supervisor, 'ready');
    await expect(hang()).rejects.toMatchObject({ code: 'timeout' });
    await replaced;
    await expect(hang()).rejects.toMatchObject({ code: 'timeout' });
    expect(await back).toMatchObject({ reason: '2 of 2 calls timed out' });
    expect(await mappedTo(registry)).toEqual(['1', '1']);
  });

  test('a version that stands its trial stays, and the old one ends', async () => {
    const { supervisor, ask, registry } = await open();
    await ask();
    const stopped = new Promise<void>((resolve) => {
      supervisor.on('state', ({ version, state }) => {
        if (version === '1' && state === 'stopped') resolve();
      });
    });
    await supervisor.switch({ ...to('2'), probation: { calls: 5, minCalls: 1, maxLatencyRatio: 1_000 } });
    const passed = next(supervisor, 'probationPassed');
    for (let n = 0; n < 5; n++) await ask();
    expect(await passed).toEqual({ name: 'sample', version: '2', pids: ['A', 'B'] });
    await stopped;
    expect(await mappedTo(registry)).toEqual(['2', '2']);
  });

  test('a way back that fails is told of once, and the new version stays', async () => {
    const { supervisor, ask, registry } = await open({ policy: { retries: 0 }, sources: { 2: bad } });
    await ask();
    await supervisor.switch({ ...to('2'), probation: { maxCrashes: 1 } });
    await registry.unregister('sample', '1', { force: true });
    const told: string[] = [];
    supervisor.on('error', ({ error, requestId }) => {
      if (requestId === undefined) told.push(error.message);
    });
    for (let n = 0; n < 2; n++) await expect(ask()).rejects.toMatchObject({ code: 'worker_exited' });
    await supervisor.close();
    expect(told.filter((message) => message.includes('way back failed'))).toHaveLength(1);
    expect(await mappedTo(registry)).toEqual(['2', '2']);
  });

  test('a trial ends without a verdict when somebody switches on', async () => {
    const { supervisor, ask, registry, versions } = await open({
      policy: { retries: 0 },
      sources: { 2: bad },
    });
    await ask();
    await supervisor.switch({ ...to('2'), probation: { maxCrashes: 1 } });
    await supervisor.switch(to('3'));
    expect((await ask()).version).toBe('3');
    expect(await mappedTo(registry)).toEqual(['3', '3']);
    expect(versions()).toContain('3');
    expect((await registry.active()).A?.barred).toBeUndefined();
  });
});
