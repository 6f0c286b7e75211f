import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { SupervisorEvents } from '../../src/supervisor/events.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import { image, mappedTo, next, otherRegistry, threeVersions, to } from '../support/three-versions.js';
import { FakeWorker, TemporaryStore, VirtualClock } from '../../src/testing/index.js';
import { temporaryFolder } from '../support/temp-folder.js';

const long = { calls: 1_000_000, durationMs: 3_600_000, maxLatencyRatio: 1_000 };

/** Version 2 has half of the calls of `A`, version 1 is mapped. */
async function halfWay() {
  const station = await threeVersions();
  const { supervisor, ask } = station;
  await ask();
  const shares: [string, number, string | undefined][] = [];
  supervisor.on('canary', ({ version, share, reason }) => shares.push([version, share, reason]));
  await supervisor.switch({ ...to('2', ['A']), share: 0.5, probation: long });
  const answering = async (calls = 8) => {
    const seen = new Set<string>();
    for (let n = 0; n < calls; n++) seen.add((await ask()).version);
    return [...seen].sort();
  };
  expect(await answering()).toEqual(['1', '2']);
  return { ...station, shares, answering };
}

describe('during a canary', () => {
  test('rollback() takes the share back: the mapped version has all calls, and nothing is barred', async () => {
    const { supervisor, registry, shares, answering, versions } = await halfWay();
    const drained = next(supervisor, 'drained');
    await supervisor.rollback({ productId: 'A' });
    expect(await answering()).toEqual(['1']);
    expect(shares.at(-1)).toEqual(['2', 0, 'it was rolled back']);
    await drained;
    expect(versions()).toEqual(['1']);
    expect((await registry.active()).A).toMatchObject({ version: '1', history: [] });
    expect((await registry.active()).A?.barred).toBeUndefined();
  });

  test('a switch to the mapped version, or a rollback to it by name, ends it too', async () => {
    const { supervisor, answering, shares } = await halfWay();
    await supervisor.switch(to('1', ['A']));
    expect(await answering()).toEqual(['1']);
    expect(shares.at(-1)).toEqual(['2', 0, 'a newer order came']);
    await supervisor.switch({ ...to('2', ['A']), share: 0.5, probation: long });
    expect(await answering()).toEqual(['1', '2']);
    await supervisor.rollback({ productId: 'A', to: { name: 'sample', version: '1' } });
    expect(await answering()).toEqual(['1']);
  });

  test('a switch without a share to the same version maps it at once, and tells of no end', async () => {
    const { supervisor, registry, answering, shares } = await halfWay();
    await supervisor.switch(to('2', ['A']));
    expect(await answering()).toEqual(['2']);
    expect(await mappedTo(registry)).toEqual(['2', '1']);
    expect(shares).toEqual([['2', 0.5, undefined]]);
    expect(supervisor.status().flatMap(({ canary }) => canary)).toEqual([]);
  });

  test('a switch to another version ends it, whether that one is mapped or has a share', async () => {
    const { supervisor, answering, shares, versions } = await halfWay();
    const drained = next(supervisor, 'drained');
    await supervisor.switch({ ...to('3', ['A']), share: 0.5, probation: long });
    expect(await answering()).toEqual(['1', '3']);
    expect(shares.slice(1)).toEqual([
      ['2', 0, 'a newer order came'],
      ['3', 0.5, undefined],
    ]);
    expect(await drained).toMatchObject({ version: '2' });
    await supervisor.switch(to('2', ['A']));
    expect(await answering()).toEqual(['2']);
    expect(shares.at(-1)).toEqual(['3', 0, 'a newer order came']);
    await expect.poll(versions).not.toContain('3'); // it drains first
  });

  test('another share for the same version begins its steps anew; the version goes on running', async () => {
    const { supervisor, shares, ask } = await halfWay();
    const before = supervisor.status().find(({ version }) => version === '2')?.processId;
    await supervisor.switch({ ...to('2', ['A']), share: 0.1, probation: long });
    expect(shares.at(-1)).toEqual(['2', 0.1, undefined]);
    let young = 0;
    for (let n = 0; n < 30; n++) if ((await ask()).version === '2') young++;
    expect(young).toBeLessThan(6);
    const { processId, canary } = supervisor.status().find(({ version }) => version === '2') ?? {};
    expect(processId).toBe(before);
    expect(canary).toMatchObject([{ share: 0.1, steps: [0.25, 0.5] }]);
  });

  test('a newer order that fails its warm-up leaves it as it is', async () => {
    const { supervisor, answering } = await halfWay();
    const warmUp = { image, userParams: { raise: 'no' } };
    await expect(supervisor.switch({ ...to('3', ['A']), warmUp })).rejects.toMatchObject({
      code: 'start_failed',
    });
    expect(await answering()).toEqual(['1', '2']);
  });

  test('deactivate() ends it: no version answers', async () => {
    const { supervisor, registry, ask, shares } = await halfWay();
    const drained = next(supervisor, 'drained');
    await registry.deactivate({ productIds: ['A'] });
    for (let n = 0; n < 4; n++) await expect(ask()).rejects.toMatchObject({ code: 'not_found' });
    await drained;
    expect(shares.at(-1)).toEqual(['2', 0, 'the product id was mapped anew, or deactivated']);
  });

  test('a switch by another process ends it', async () => {
    const { supervisor, registry, shares, answering } = await halfWay();
    const ended = next(supervisor, 'canary');
    const other = await otherRegistry(registry);
    await other.switch({ name: 'sample', version: '3', productIds: ['A'] });
    await ended;
    expect(shares.at(-1)?.slice(0, 2)).toEqual(['2', 0]);
    expect(await answering()).toEqual(['3']);
  });

  test('its version cannot be uninstalled; by force it ends', async () => {
    const { supervisor, registry, answering, shares } = await halfWay();
    await expect(registry.unregister('sample', '2')).rejects.toMatchObject({ code: 'unsafe_uninstall' });
    const drained = next(supervisor, 'drained');
    await registry.unregister('sample', '2', { force: true });
    await drained;
    expect(await answering()).toEqual(['1']);
    expect(shares.at(-1)).toEqual(['2', 0, 'sample 2 was uninstalled']);
  });

  test('stop() of its version ends it; stop() of the mapped version does not', async () => {
    const { supervisor, answering, shares } = await halfWay();
    await supervisor.stop('sample', '1');
    expect(await answering()).toEqual(['1', '2']); // started again by its first call
    await supervisor.stop('sample', '2');
    expect(await answering()).toEqual(['1']);
    expect(shares.at(-1)).toEqual(['2', 0, 'sample 2 was stopped']);
  });

  test('scale() of either version changes nothing about it', async () => {
    const { supervisor, answering, shares } = await halfWay();
    await supervisor.scale('sample', '2', 2);
    await supervisor.scale('sample', '1', 2);
    expect(await answering()).toEqual(['1', '2']);
    expect(shares).toHaveLength(1);
  });

  test('close() ends it without an event: the next host has the mapped version alone', async () => {
    const { supervisor, registry, shares } = await halfWay();
    await supervisor.close();
    expect(shares).toHaveLength(1);
    expect(await mappedTo(registry)).toEqual(['1', '1']);
  });

  test('switch() of an id that still warms up for a share is superseded by a newer order', async () => {
    const { supervisor, ask, registry } = await threeVersions();
    await ask();
    const first = supervisor.switch({ ...to('2', ['A']), share: 0.5 });
    const second = supervisor.switch({ ...to('3', ['A']), share: 0.5, probation: long });
    await expect(first).rejects.toMatchObject({ code: 'superseded' });
    await second;
    const seen = new Set<string>();
    for (let n = 0; n < 8; n++) seen.add((await ask()).version);
    expect([...seen].sort()).toEqual(['1', '3']);
    expect(await mappedTo(registry)).toEqual(['1', '1']);
  });
});

describe('what belongs together', () => {
  const call = { stepIndex: 1, image, productId: 'A' };

  test('all calls of a session are at one version; sessions from before stay with the mapped one', async () => {
    const { supervisor } = await threeVersions();
    const old = { id: 'from before' };
    await supervisor.preExecute({ ...call, session: old });
    await supervisor.switch({ ...to('2', ['A']), share: 0.5, probation: long });
    const at = new Map<string, Set<string>>();
    for (let board = 0; board < 12; board++) {
      const session = { id: `board ${board}` };
      const seen = new Set<string>();
      for (const make of ['preExecute', 'execute', 'execute'] as const) {
        seen.add((await supervisor[make]({ ...call, session })).version);
      }
      at.set(session.id, seen);
      expect((await supervisor.execute({ ...call, session: old })).version).toBe('1');
    }
    const versions = [...at.values()].map((seen) => [...seen].join());
    expect(versions.filter((version) => version === '1').length).toBeGreaterThanOrEqual(4);
    expect(versions.filter((version) => version === '2').length).toBeGreaterThanOrEqual(4);
    // Another share moves none of them.
    await supervisor.switch({ ...to('2', ['A']), share: 0.1, probation: long });
    for (const [id, [version]] of at) {
      expect((await supervisor.execute({ ...call, session: { id } })).version).toBe(version);
    }
  });

  test('a session that is at the canary is not answered by the other version, which has nothing of it', async () => {
    const { supervisor } = await threeVersions({ policy: { retries: 1 } });
    await supervisor.switch({
      ...to('2', ['A']),
      share: 0.99,
      steps: [],
      probation: { ...long, minCalls: 999 },
    });
    const session = { id: 'board' };
    expect((await supervisor.preExecute({ ...call, session })).version).toBe('2');
    const failed = await supervisor.execute({ ...call, session, userParams: { raise: 'no' } });
    expect(failed).toMatchObject({ status: 'ERROR', version: '2' });
    expect(failed.fellBackFrom).toBeUndefined();
    const other = await supervisor.execute({
      ...call,
      session: { id: 'new' },
      userParams: { error_once: path.join(await temporaryFolder(), 'raised') },
    });
    expect(other.version).toBe('1'); // its first call failed
    expect((await supervisor.execute({ ...call, session: { id: 'new' } })).version).toBe('1');
  });

  test('the pictures of one message are at one version', async () => {
    const { registry, supervisor } = await openSupervised({ worker: 'bundled' });
    for (const version of ['1', '2']) {
      await deployVersion(registry, { version, source: steeredAlgorithm(), productIds: ['A'] });
    }
    await registry.activate({ name: 'sample', version: '1', productIds: ['A'] });
    await supervisor.start('sample', '1');
    await supervisor.switch({ ...to('2', ['A']), share: 0.5, probation: long });
    const seen: string[] = [];
    for (let n = 0; n < 10; n++) {
      const results = await supervisor.executeMany(Array.from({ length: 4 }, () => call));
      seen.push([...new Set(results.map(({ version }) => version))].join());
    }
    expect(new Set(seen)).toEqual(new Set(['1', '2']));
    expect(seen.filter((version) => version === '2').length).toBeGreaterThanOrEqual(4);
  });
});

describe('the time of a step', () => {
  /** Versions 1 and 2 without Python, in a time that stands still. */
  async function still() {
    const store = await TemporaryStore.open();
    onTestFinished(() => store.close());
    const clock = new VirtualClock();
    const supervisor = store.supervise({ clock });
    for (const version of ['1', '2'])
      await store.deploy({ version, productIds: ['A'], worker: new FakeWorker() });
    await store.registry.activate({ name: 'sample', version: '1', productIds: ['A'] });
    const events: SupervisorEvents['canary'][0][] = [];
    supervisor.on('canary', (event) => events.push(event));
    const ask = () => supervisor.execute({ productId: 'A', stepIndex: 1, image });
    return { supervisor, clock, ask, shares: () => events.map(({ share }) => share), store };
  }

  test('is waited for when calls are fewer than its trial has', async () => {
    const { supervisor, clock, ask, shares } = await still();
    const probation = { durationMs: 60_000, minCalls: 2 };
    await supervisor.switch({ ...to('2', ['A']), share: 0.5, steps: [0.7], probation });
    for (let n = 0; n < 8; n++) await ask();
    clock.advance(59_999);
    expect(shares()).toEqual([0.5]);
    clock.advance(1);
    expect(shares()).toEqual([0.5, 0.7]);
  });

  test('goes on past its end until there were calls enough: nothing is mapped that nobody has seen work', async () => {
    const { supervisor, clock, ask, shares, store } = await still();
    const probation = { durationMs: 60_000, minCalls: 2 };
    await supervisor.switch({ ...to('2', ['A']), share: 0.9, steps: [], probation });
    clock.advance(600_000);
    await ask();
    expect(shares()).toEqual([0.9]);
    expect((await store.registry.active()).A?.version).toBe('1');
    const switched = next(supervisor, 'switched');
    await ask();
    await ask();
    await switched;
    expect((await store.registry.active()).A?.version).toBe('2');
  });

  test('leaves no timer behind when the canary ends', async () => {
    const { supervisor, clock } = await still();
    await supervisor.start('sample', '2');
    const { pending } = clock;
    await supervisor.switch({ ...to('2', ['A']), share: 0.5 });
    expect(clock.pending).toBe(pending + 1);
    await supervisor.rollback({ productId: 'A' });
    expect(clock.pending).toBe(pending);
  });
});
