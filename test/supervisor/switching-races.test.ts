import { describe, expect, test } from 'vitest';
import type { Registry } from '../../src/registry/registry.js';
import { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import { image, mappedTo, next, threeVersions, to } from '../support/three-versions.js';
import { patient } from '../support/patient.js';

/** Moments of a switch from 1 to 2, in their order; the ids are mapped before the third last. */
const MOMENTS = ['asked', '2 starting', '2 ready', '2 executing', 'committed', 'switched', '1 stopping'];
const BEFORE = MOMENTS.slice(0, 4);

/** Does something at a moment, once. */
function at(moment: string, supervisor: AlgorithmSupervisor, registry: Registry, act: () => void): void {
  let isDone = false;
  const tell = (now: string) => {
    if (isDone || now !== moment) return;
    isDone = true;
    act();
  };
  supervisor.on('state', ({ version, state }) => {
    tell(`${version} ${state}`);
  });
  supervisor.on('ready', ({ version }) => {
    tell(`${version} ready`);
  });
  registry.on('switched', () => {
    tell('committed');
  });
  supervisor.on('switched', () => {
    tell('switched');
  });
  tell('asked');
}

describe('a switch that is aborted', () => {
  test.each(MOMENTS)('at "%s" has changed nothing, or is carried through', async (moment) => {
    const { supervisor, ask, versions, registry } = await threeVersions();
    await ask();
    const controller = new AbortController();
    at(moment, supervisor, registry, () => {
      controller.abort();
    });
    const switching = supervisor.switch({ ...to('2'), warmUp: { image }, signal: controller.signal });
    const version = BEFORE.includes(moment) ? '1' : '2';
    if (version === '1')
      await expect(switching).rejects.toMatchObject({ name: 'AbortError', code: 'aborted' });
    else await switching;
    await expect.poll(() => controller.signal.aborted).toBe(true);
    await expect.poll(versions).toEqual([version]);
    expect(await mappedTo(registry)).toEqual([version, version]);
    expect(await ask()).toMatchObject({ version });
  });
});

test.each(MOMENTS)(
  'closing at "%s" of a switch ends it, with both ids at one version, which the next supervisor serves',
  async (moment) => {
    const { supervisor, ask, versions, registry } = await threeVersions();
    await ask();
    let closing: Promise<void> | undefined;
    at(moment, supervisor, registry, () => {
      closing = supervisor.close();
    });
    const switching = supervisor.switch({ ...to('2'), warmUp: { image } }).catch((error: unknown) => error);
    const end = await switching;
    await expect.poll(() => closing !== undefined).toBe(true);
    await closing;
    if (BEFORE.includes(moment)) expect(end).toMatchObject({ code: 'closed' });
    expect(versions()).toEqual([]);
    const version = BEFORE.includes(moment) ? '1' : '2';
    expect(await mappedTo(registry)).toEqual([version, version]);
    await using after = new AlgorithmSupervisor({ registry, policy: patient() });
    expect(await after.execute({ productId: 'B', stepIndex: 1, image })).toMatchObject({ version });
  },
);

test('the old version may crash for good while the new one is warmed: the switch goes through', async () => {
  const { supervisor, ask, versions } = await threeVersions({
    policy: { maxCrashes: 1, coolDownMs: 600_000 },
    sources: { 2: steeredAlgorithm({ onImport: 'time.sleep(1)' }) },
  });
  await ask();
  const pid = supervisor.status()[0]?.workers[0]?.processId ?? 0;
  const open = next(supervisor, 'circuitOpen');
  const switching = supervisor.switch({ ...to('2'), warmUp: { image } });
  process.kill(pid, 'SIGKILL');
  expect(await open).toMatchObject({ version: '1' });
  await expect(ask()).rejects.toMatchObject({ code: 'circuit_open' });
  await switching;
  expect(await ask()).toMatchObject({ version: '2' });
  await expect.poll(versions).toEqual(['2']);
});

test('a call of the old version that dies while the new one is warmed is tried again, not lost', async () => {
  const { supervisor, ask } = await threeVersions({
    sources: { 2: steeredAlgorithm({ onImport: 'time.sleep(1)' }) },
  });
  await ask();
  const pid = supervisor.status()[0]?.workers[0]?.processId ?? 0;
  const switching = supervisor.switch(to('2'));
  const running = ask({ sleep_ms: 300 });
  await next(supervisor, 'state');
  process.kill(pid, 'SIGKILL');
  expect(await running).toMatchObject({ status: 'OK' });
  await switching;
  expect(await ask()).toMatchObject({ version: '2' });
});

test('a start of the version by name outlives a switch to it that is given up', async () => {
  const { supervisor, versions } = await threeVersions({
    sources: { 2: steeredAlgorithm({ onImport: 'time.sleep(1)' }) },
  });
  const controller = new AbortController();
  const switching = supervisor.switch({ ...to('2'), signal: controller.signal });
  const starting = supervisor.start('sample', '2');
  await next(supervisor, 'state');
  controller.abort();
  await expect(switching).rejects.toMatchObject({ code: 'aborted' });
  await starting;
  expect(versions()).toEqual(['2']);
  expect(supervisor.status()[0]?.state).toBe('running');
});

test.each<[string, unknown]>([
  ['no ids', []],
  ['something else than ids', [7]],
])('a switch of %s is invalid_params, and nothing is started', async (_, pids) => {
  const { supervisor, versions } = await threeVersions();
  const states: string[] = [];
  supervisor.on('state', ({ state }) => states.push(state));
  const o = { ...to('2'), pids: pids as string[] };
  await expect(supervisor.switch(o)).rejects.toMatchObject({ code: 'invalid_params' });
  expect(versions()).toEqual([]);
  expect(states).toEqual([]);
});

test('an id that another process moved while the new version was warmed is taken from where it is by then', async () => {
  const { supervisor, ask, registry, versions } = await threeVersions({
    sources: { 2: steeredAlgorithm({ onImport: 'time.sleep(1)' }) },
  });
  await ask();
  const started = next(supervisor, 'state');
  const switching = supervisor.switch(to('2'));
  const switched = next(supervisor, 'switched');
  await started;
  await registry.switch(to('3', ['B']));
  expect(await ask({}, 'B')).toMatchObject({ version: '3' });
  await switching;
  expect(await switched).toMatchObject({
    from: [
      { name: 'sample', version: '1' },
      { name: 'sample', version: '3' },
    ],
  });
  await expect.poll(versions).toEqual(['2']);
});
