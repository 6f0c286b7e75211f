import { readdir } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { planPrune } from '../../src/deploy/prune/retention.js';
import type { Retention } from '../../src/deploy/types.js';
import type { RegistryEntry } from '../../src/registry/types.js';
import { deployStore, type DeployStore } from '../support/deploy-store.js';

async function storeWith(versions: string[], retention: Retention = {}): Promise<DeployStore> {
  const store = await deployStore({ retention });
  for (const version of versions) await store.deployer.install(await store.zip({ version }));
  return store;
}

const versionsOf = async ({ registry }: DeployStore) =>
  (await registry.list()).map(({ version }) => version).sort();

const FIVE = ['1.0.0', '2.0.0', '3.0.0', '4.0.0', '5.0.0'];

describe('prune', () => {
  test('of five idle versions keeps the newest three and says what went and how many bytes', async () => {
    const store = await storeWith(FIVE);
    const events: unknown[] = [];
    store.deployer.on('pruned', (report) => events.push(report));
    const report = await store.deployer.prune();
    expect(await versionsOf(store)).toEqual(['3.0.0', '4.0.0', '5.0.0']);
    expect(report.pruned.map(({ version, action }) => `${action} ${version}`)).toEqual([
      ...['delete 2.0.0', 'delete 1.0.0'],
    ]);
    expect(report.freedBytes).toBe(report.pruned.reduce((sum, { freedBytes }) => sum + freedBytes, 0));
    expect(report.freedBytes).toBeGreaterThan(500);
    expect(events).toEqual([report]);
  });

  test('keeps an active, a running and a rollback version past the count, and says why', async () => {
    const store = await storeWith(FIVE, { keep: 1 });
    const { registry, deployer, join } = store;
    await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
    await registry.switch({ name: 'sample', version: '2.0.0', productIds: ['A01'] });
    const other = await join();
    await using _use = await other.registry.use('sample', '3.0.0');
    const report = await deployer.prune();
    expect(await versionsOf(store)).toEqual(['1.0.0', '2.0.0', '3.0.0', '5.0.0']);
    expect(report.kept.map(({ version, reason }) => `${version} ${reason}`).sort()).toEqual([
      ...['1.0.0 rollback', '2.0.0 active', '3.0.0 running'],
    ]);
  });

  test('keeps what a rollback would go back to when the version between is gone', async () => {
    const store = await storeWith(['1.0.0', '2.0.0', '3.0.0', '4.0.0'], { keep: 1 });
    const { registry, deployer } = store;
    for (const version of ['1.0.0', '2.0.0', '3.0.0']) {
      await registry.switch({ name: 'sample', version, productIds: ['A01'] });
    }
    await deployer.uninstall('sample', '2.0.0', { alsoRollbackTargets: true });
    const report = await deployer.prune();
    expect(report.kept.map(({ version, reason }) => `${version} ${reason}`).sort()).toEqual([
      ...['1.0.0 rollback', '3.0.0 active'],
    ]);
    expect(await registry.rollback({ productId: 'A01' })).toMatchObject({ version: '1.0.0' });
  });

  test('keeps a version that a switch by another host has just made the way back', async () => {
    const store = await storeWith(['1.0.0', '2.0.0', '3.0.0'], { keep: 1 });
    const { registry, deployer } = store;
    for (const version of ['1.0.0', '3.0.0']) {
      await registry.switch({ name: 'sample', version, productIds: ['A01'] });
    }
    // What was true when the plan was made.
    vi.spyOn(registry, 'active').mockResolvedValueOnce({});
    const report = await deployer.prune();
    expect(report.kept).toContainEqual({ name: 'sample', version: '1.0.0', reason: 'rollback' });
    expect(await versionsOf(store)).toEqual(['1.0.0', '3.0.0']);
  });

  test('keeps what was deployed last, whatever the clock said then', async () => {
    const store = await storeWith(['1.0.0', '2.0.0'], { keep: 1 });
    vi.useFakeTimers({ toFake: ['Date'], now: 0 });
    onTestFinished(() => void vi.useRealTimers());
    await store.deployer.install(await store.zip({ version: '3.0.0' }));
    await store.deployer.prune();
    expect(await versionsOf(store)).toEqual(['3.0.0']);
  });

  test('with archive moves what is not the environment to .archive and frees the rest', async () => {
    const store = await storeWith(FIVE, { action: 'archive', keep: 4 });
    const report = await store.deployer.prune();
    const archive = path.join(store.registry.layout.algorithms, '.archive', 'sample', '1.0.0');
    expect(report.pruned).toMatchObject([{ version: '1.0.0', action: 'archive', archive }]);
    const names = await readdir(archive);
    expect(names).toContain('manifest.json');
    expect(names).not.toContain('venv');
    expect(await versionsOf(store)).toEqual(FIVE.slice(1));
  });

  test('of one name leaves the others alone', async () => {
    const store = await storeWith(['1.0.0', '2.0.0'], { keep: 1 });
    for (const version of ['1.0.0', '2.0.0']) {
      await store.deployer.install(await store.zip({ name: 'other', version }));
    }
    await store.deployer.prune({ name: 'other' });
    expect((await store.registry.list()).map(({ name, version }) => `${name} ${version}`).sort()).toEqual([
      ...['other 2.0.0', 'sample 1.0.0', 'sample 2.0.0'],
    ]);
  });

  test('runs by itself after an install with automatic retention', async () => {
    const store = await storeWith(FIVE, { automatic: true });
    expect(await versionsOf(store)).toEqual(['3.0.0', '4.0.0', '5.0.0']);
  });
});

interface Drawn extends RegistryEntry {
  isHeld?: boolean;
}

test('a plan keeps the last of each name and whatever has a reason, and loses no entry', () => {
  const entry = fc.record({
    name: fc.constantFrom('a', 'b', 'c'),
    version: fc.integer({ min: 0, max: 99 }).map(String),
    isHeld: fc.boolean(),
  });
  const entries = fc.uniqueArray(entry, { selector: ({ name, version }) => `${name} ${version}` });
  fc.assert(
    fc.property(entries, fc.integer({ min: 0, max: 4 }), (drawn, keep) => {
      const all = drawn as unknown as Drawn[];
      const { remove, kept } = planPrune(all, keep, (one) => ((one as Drawn).isHeld ? 'active' : undefined));
      for (const name of ['a', 'b', 'c']) {
        const ofName = all.filter((one) => one.name === name);
        const old = ofName.slice(0, Math.max(0, ofName.length - keep));
        const removed = remove.filter((one) => one.name === name);
        expect(new Set(removed)).toEqual(new Set(old.filter(({ isHeld }) => isHeld !== true)));
        expect(kept.filter((one) => one.name === name)).toHaveLength(old.length - removed.length);
      }
    }),
  );
});

test('a dry run names what a prune would take away, and takes nothing', async () => {
  const { deployer, registry, zip, content } = await deployStore({ retention: { keep: 1 } });
  for (const version of ['1.0.0', '2.0.0', '3.0.0']) await deployer.install(await zip({ version }));
  const before = await content();
  const planned = await deployer.prune({ dryRun: true });
  expect(planned.pruned.map(({ version }) => version)).toEqual(['2.0.0', '1.0.0']);
  expect(planned.freedBytes).toBeGreaterThan(0);
  expect(await content()).toEqual(before);
  const { pruned } = await deployer.prune();
  expect(pruned).toEqual(planned.pruned);
  expect(await registry.list()).toHaveLength(1);
});
