import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { patient } from '../support/patient.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import {
  dying,
  image,
  mappedTo,
  next,
  otherRegistry,
  reached,
  threeVersions,
  to,
} from '../support/three-versions.js';

test('a version that crashes is left within a second: the old one, kept ready, serves again and the bad one is barred', async () => {
  const { supervisor, ask, versions, registry } = await threeVersions({
    policy: { retries: 0 },
    sources: { 2: dying },
  });
  await ask();
  await supervisor.switch({ ...to('2'), probation: { maxCrashes: 2 } });
  expect(versions()).toEqual(['1', '2']);
  const back = next(supervisor, 'switchedBack');
  let crashedAt = 0;
  supervisor.on('exit', () => (crashedAt = performance.now()));
  for (let n = 0; n < 2; n++) await expect(ask()).rejects.toMatchObject({ code: 'worker_exited' });
  expect(await back).toEqual({
    name: 'sample',
    version: '2',
    ...{ productIds: ['A', 'B'], pids: ['A', 'B'] },
    to: [{ name: 'sample', version: '1' }],
    reason: 'its workers crashed 2 times',
  });
  expect(performance.now() - crashedAt).toBeLessThan(1_000);
  expect(await ask()).toMatchObject({ version: '1', attempts: 1 });
  expect((await registry.active()).A?.barred).toMatchObject([
    { version: '2', reason: 'its workers crashed 2 times' },
  ]);
  await registry.settled();
  const log = await readFile(path.join(registry.layout.logs, 'package_activate.log'), 'utf8');
  expect(log).toContain('"operation":"switch back"');
  await expect(supervisor.switch(to('2'))).rejects.toMatchObject({ code: 'version_barred' });
  await supervisor.switch({ ...to('2'), force: true });
  expect(await mappedTo(registry)).toEqual(['2', '2']);
});

test('a product id that every object has a property of is served by no version before it is active', async () => {
  const { registry, supervisor } = await openSupervised({});
  for (const version of ['1', '2']) await deployVersion(registry, { version, productIds: ['toString'] });
  const productIds = ['toString'];
  await expect(
    supervisor.switch({ name: 'sample', version: '2', productIds, share: 0.5 }),
  ).rejects.toMatchObject({ code: 'invalid_params', message: /none serves toString/ });
  await expect(supervisor.rollback({ productId: 'toString' })).rejects.toMatchObject({ code: 'not_found' });
});

test('a version that answers ERROR too often is left', async () => {
  const failing = steeredAlgorithm().replace('asked = user_params or {}', 'raise ValueError("no")');
  const { supervisor, ask } = await threeVersions({ sources: { 2: failing } });
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
  const { supervisor, ask } = await threeVersions({ sources: { 2: slow } });
  for (let n = 0; n < 10; n++) await ask();
  await supervisor.switch({ ...to('2'), probation: { minCalls: 3, maxLatencyRatio: 2 } });
  const back = next(supervisor, 'switchedBack');
  for (let n = 0; n < 3; n++) await ask();
  expect(await back).toMatchObject({ reason: expect.stringContaining('usual') as string });
});

test('a version that times out too often is left', async () => {
  const { supervisor, ask, registry } = await threeVersions({ policy: { retries: 0 } });
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
  const { supervisor, ask, registry } = await threeVersions();
  await ask();
  const stopped = reached(supervisor, '1', 'stopped');
  await supervisor.switch({ ...to('2'), probation: { calls: 5, minCalls: 1, maxLatencyRatio: 1_000 } });
  const passed = next(supervisor, 'probationPassed');
  const trials = () => supervisor.status().map(({ version, trial }) => [version, trial]);
  const trial = { productIds: ['A', 'B'], from: [{ name: 'sample', version: '1' }] };
  expect(trials().sort()).toEqual([
    ['1', undefined],
    ['2', trial],
  ]);
  for (let n = 0; n < 5; n++) await ask();
  expect(await passed).toEqual({
    ...{ name: 'sample', version: '2', productIds: ['A', 'B'], pids: ['A', 'B'] },
  });
  await stopped;
  expect(trials()).toEqual([['2', undefined]]);
  expect(await mappedTo(registry)).toEqual(['2', '2']);
});

test('a way back that fails is told of once, and the new version stays', async () => {
  const { supervisor, ask, registry } = await threeVersions({
    policy: { retries: 0 },
    sources: { 2: dying },
  });
  await ask();
  await supervisor.switch({ ...to('2'), probation: { maxCrashes: 1 } });
  await registry.unregister('sample', '1', { force: true });
  const events: string[] = [];
  supervisor.on('error', ({ error }) => events.push(error.message));
  for (let n = 0; n < 2; n++) await expect(ask()).rejects.toMatchObject({ code: 'worker_exited' });
  await supervisor.close();
  expect(events.filter((message) => message.includes('way back failed'))).toHaveLength(1);
  expect(await mappedTo(registry)).toEqual(['2', '2']);
});

test('a trial ends without a verdict when somebody switches on', async () => {
  const { supervisor, ask, registry, versions } = await threeVersions({
    policy: { retries: 0 },
    sources: { 2: dying },
  });
  await ask();
  await supervisor.switch({ ...to('2'), probation: { maxCrashes: 1 } });
  await supervisor.switch(to('3'));
  expect((await ask()).version).toBe('3');
  expect(await mappedTo(registry)).toEqual(['3', '3']);
  expect(versions()).toContain('3');
  expect((await registry.active()).A?.barred).toBeUndefined();
});

test('a version that answers nothing right until its time is up is left, however few its calls were', async () => {
  const failing = steeredAlgorithm().replace('asked = user_params or {}', 'raise ValueError("no")');
  const { supervisor, ask } = await threeVersions({ sources: { 2: failing } });
  await ask();
  await supervisor.switch({ ...to('2'), probation: { durationMs: 1_500 } });
  const back = next(supervisor, 'switchedBack');
  expect(await ask()).toMatchObject({ status: 'ERROR', version: '2' });
  expect(await back).toMatchObject({ reason: '1 of 1 calls failed' });
});

test('a version before that had not served in this process is started to stand by, and comes back', async () => {
  const { supervisor, ask, versions, registry } = await threeVersions({
    policy: { retries: 0 },
    sources: { 2: dying },
  });
  await supervisor.switch({ ...to('2'), probation: { maxCrashes: 1 } });
  await expect.poll(versions).toEqual(['1', '2']);
  const back = next(supervisor, 'switchedBack');
  await expect(ask()).rejects.toMatchObject({ code: 'worker_exited' });
  await back;
  expect(await mappedTo(registry)).toEqual(['1', '1']);
  expect(await ask()).toMatchObject({ version: '1' });
});

test('an id that nobody served before stays with the new version: there is nothing to go back to', async () => {
  const { supervisor, ask, registry } = await threeVersions({
    policy: { retries: 0 },
    sources: { 2: dying },
    pids: ['A', 'B', 'C'],
  });
  await ask();
  const events: string[] = [];
  supervisor.on('error', ({ error }) => events.push(error.message));
  await supervisor.switch({ ...to('2', ['A', 'C']), probation: { maxCrashes: 1 } });
  const back = next(supervisor, 'switchedBack');
  await expect(ask()).rejects.toMatchObject({ code: 'worker_exited' });
  expect(await back).toMatchObject({ pids: ['A'], to: [{ name: 'sample', version: '1' }] });
  expect((await registry.active()).C?.version).toBe('2');
  await supervisor.close();
  expect(events).toEqual([]);
});

test('ids of several packages that were moved in one switch each go back to their own', async () => {
  const { supervisor, ask, registry } = await threeVersions({
    policy: { retries: 0 },
    sources: { 2: dying },
  });
  await deployVersion(registry, {
    name: 'other',
    version: '7',
    source: steeredAlgorithm(),
    productIds: ['B'],
  });
  await registry.switch({ name: 'other', version: '7', productIds: ['B'] });
  for (const pid of ['A', 'B']) await ask({}, pid);
  const switched = next(supervisor, 'switched');
  await supervisor.switch({ ...to('2'), probation: { maxCrashes: 1 } });
  const from = [
    { name: 'sample', version: '1' },
    { name: 'other', version: '7' },
  ];
  expect(await switched).toMatchObject({ from });
  const back = next(supervisor, 'switchedBack');
  await expect(ask({}, 'B')).rejects.toMatchObject({ code: 'worker_exited' });
  expect(await back).toMatchObject({ pids: ['A', 'B'], to: from });
  expect(await ask({}, 'A')).toMatchObject({ name: 'sample', version: '1' });
  expect(await ask({}, 'B')).toMatchObject({ name: 'other', version: '7' });
});

test('a switch to the version that is on trial leaves its trial as it is', async () => {
  const { supervisor, ask, versions } = await threeVersions({
    policy: { retries: 0 },
    sources: { 2: dying },
  });
  await ask();
  await supervisor.switch({ ...to('2'), probation: { maxCrashes: 1 } });
  await supervisor.switch(to('2'));
  expect(versions()).toEqual(['1', '2']);
  const back = next(supervisor, 'switchedBack');
  await expect(ask()).rejects.toMatchObject({ code: 'worker_exited' });
  expect(await back).toMatchObject({ pids: ['A', 'B'] });
});

test('a trial is over without a verdict when another process moves its ids on', async () => {
  const { supervisor, ask, registry } = await threeVersions();
  await ask();
  const events: string[] = [];
  supervisor.on('probationPassed', () => events.push('passed'));
  supervisor.on('switchedBack', () => events.push('back'));
  await supervisor.switch({ ...to('2'), probation: { durationMs: 600_000 } });
  const ended = Promise.all([reached(supervisor, '1', 'stopped'), reached(supervisor, '2', 'stopped')]);
  await (await otherRegistry(registry)).switch(to('3'));
  expect(await ask()).toMatchObject({ version: '3' });
  await ended;
  expect(events).toEqual([]);
});

describe('a way back', () => {
  test('that one id cannot take is taken by the others, and told of once', async () => {
    const { supervisor, ask, registry } = await threeVersions({
      policy: { retries: 0 },
      sources: { 2: dying },
    });
    await deployVersion(registry, {
      name: 'other',
      version: '7',
      source: steeredAlgorithm(),
      productIds: ['B'],
    });
    await registry.deactivate({ productIds: ['B'] });
    await registry.activate({ name: 'other', version: '7', productIds: ['B'] });
    for (const pid of ['A', 'B']) await ask({}, pid);
    await supervisor.switch({ ...to('2'), probation: { maxCrashes: 1 } });
    await registry.unregister('other', '7', { force: true });
    const events: string[] = [];
    supervisor.on('error', ({ error }) => events.push(error.message));
    const back = next(supervisor, 'switchedBack');
    await expect(ask()).rejects.toMatchObject({ code: 'worker_exited' });
    expect(await back).toMatchObject({ pids: ['A'] });
    await supervisor.close();
    expect(events).toEqual([expect.stringContaining('no earlier version of B is kept')]);
    expect(await mappedTo(registry)).toEqual(['1', '2']);
  });

  test('to a version whose circuit has opened meanwhile closes it: it serves at once', async () => {
    const { supervisor, ask } = await threeVersions({
      policy: { retries: 0, maxCrashes: 1, coolDownMs: 600_000 },
      sources: { 2: dying },
    });
    await ask();
    await supervisor.switch({ ...to('2'), probation: {} });
    const open = next(supervisor, 'circuitOpen');
    const old = supervisor.status().find(({ version }) => version === '1')?.workers[0]?.processId ?? 0;
    process.kill(old, 'SIGKILL');
    expect(await open).toMatchObject({ version: '1' });
    const closed = next(supervisor, 'circuitClosed');
    await expect(ask()).rejects.toMatchObject({ code: 'worker_exited' });
    expect(await closed).toMatchObject({ version: '1' });
    expect(await ask()).toMatchObject({ version: '1' });
  });
});

test('closing in the middle of a trial ends it without a verdict: the new version stays, is not barred, and has no trial in the next process', async () => {
  const { supervisor, ask, registry } = await threeVersions({ sources: { 2: dying } });
  await ask();
  await supervisor.switch({ ...to('2'), probation: { maxCrashes: 1 } });
  await supervisor.close();
  expect(supervisor.status()).toEqual([]);
  await using after = new AlgorithmSupervisor({ registry, policy: patient({ retries: 0 }) });
  const events: string[] = [];
  after.on('switchedBack', () => events.push('back'));
  const call = after.execute({ productId: 'A', stepIndex: 1, image });
  await expect(call).rejects.toMatchObject({ code: 'worker_exited' });
  expect(await mappedTo(registry)).toEqual(['2', '2']);
  expect((await registry.active()).A?.barred).toBeUndefined();
  expect(events).toEqual([]);
});
