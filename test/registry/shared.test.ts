import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Registry } from '../../src/registry/registry.js';
import { VERSION_MARKER } from '../../src/registry/registry-file.js';
import type { RegistryEntry } from '../../src/registry/types.js';
import { acquireLock } from '../../src/store/lock.js';
import { registryEntry } from '../support/registry-entry.js';
import { temporaryFolder } from '../support/temp-folder.js';

async function opened(root?: string, pollMs = 60_000): Promise<Registry> {
  const registry = await Registry.open(root ?? (await temporaryFolder()), { durability: 'none', pollMs });
  onTestFinished(() => registry.close());
  return registry;
}

async function withVersions(...entries: RegistryEntry[]): Promise<Registry> {
  const registry = await opened();
  for (const entry of entries) await registry.register(entry);
  return registry;
}

async function seal(registry: Registry, entry: RegistryEntry): Promise<void> {
  const folder = registry.layout.deployed(entry.name, entry.version);
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, VERSION_MARKER), JSON.stringify(entry));
}

const asideFiles = async (registry: Registry) =>
  (await readdir(registry.layout.root)).filter((name) => name.includes('.damaged-'));

describe('changed', () => {
  test('is not told for changes of one’s own, however often the file is looked at', async () => {
    const registry = await opened(undefined, 1);
    let events = 0;
    registry.on('changed', () => (events += 1));
    const lookAfter = async (turns: number) => {
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      await registry.active();
    };
    for (let n = 0; n < 40; n++) {
      await Promise.all([
        ...Array.from({ length: n }, (_, turns) => lookAfter(turns)),
        registry.register(registryEntry('x', `1.${n}`)),
        registry.list(),
        registry.active(),
      ]);
    }
    await registry.list();
    expect(events).toBe(0);
  });

  test('is told once for a change by another that one’s own change meets', async () => {
    const registry = await withVersions(registryEntry('x', '1'));
    const other = await opened(registry.layout.root);
    let events = 0;
    registry.on('changed', () => (events += 1));
    await other.activate({ name: 'x', version: '1', productIds: ['A'] });
    await registry.activate({ name: 'x', version: '1', productIds: ['B'] });
    expect(Object.keys(await registry.active()).sort()).toEqual(['A', 'B']);
    expect(events).toBe(1);
  });

  test('tells a hundred changes of one length in a row apart', async () => {
    const registry = await withVersions(registryEntry('x', '1'), registryEntry('x', '2'));
    const other = await opened(registry.layout.root);
    for (let n = 0; n < 100; n++) {
      const version = String(1 + (n % 2));
      await other.switch({ name: 'x', version, productIds: ['A'] });
      expect(await registry.resolve('A')).toMatchObject({ version });
    }
  });
});

describe('registry.json', () => {
  test('that is gone is made again from the versions and mappings on disk, and told', async () => {
    const registry = await withVersions(registryEntry('x', '1'));
    await seal(registry, registryEntry('x', '1'));
    await registry.activate({ name: 'x', version: '1', productIds: ['A'] });
    await rm(registry.layout.registry);
    const again = await opened(registry.layout.root);
    expect(await again.resolve('A')).toMatchObject({ name: 'x', version: '1' });
    expect(again.damage).toMatchObject({
      problems: ['it is gone'],
      recovered: [{ name: 'x', version: '1' }],
    });
  });

  test.each([
    ['cut off', '{"schema_version": 1, "packages": [{'],
    ['empty', ''],
    ['of zeros', '\0'.repeat(100)],
    ['of another shape', '[1, 2]'],
  ])('%s under an open registry is set aside and rebuilt, and told by an event', async (_, text) => {
    const registry = await withVersions(registryEntry('x', '1'));
    await seal(registry, registryEntry('x', '1'));
    const events: unknown[] = [];
    registry.on('damaged', (damage) => events.push(damage));
    await writeFile(registry.layout.registry, text);
    expect(await registry.list()).toMatchObject([{ name: 'x', version: '1' }]);
    expect(events).toHaveLength(1);
    const [aside = ''] = await asideFiles(registry);
    expect(await readFile(path.join(registry.layout.root, aside), 'utf8')).toBe(text);
    expect(registry.damage?.setAside).toBe(path.join(registry.layout.root, aside));
  });

  test('with one bad record keeps a copy of what it was', async () => {
    const registry = await withVersions(registryEntry('x', '1'));
    const raw = JSON.parse(await readFile(registry.layout.registry, 'utf8')) as { packages: unknown[] };
    raw.packages.unshift({ name: 'y', version: 2 });
    await writeFile(registry.layout.registry, JSON.stringify(raw));
    expect(await registry.list()).toMatchObject([{ name: 'x' }]);
    const [aside = ''] = await asideFiles(registry);
    const kept = JSON.parse(await readFile(path.join(registry.layout.root, aside), 'utf8')) as unknown;
    expect(kept).toEqual(raw);
  });

  test('of a newer schema keeps records that cannot be read here, unshown, through a change', async () => {
    const registry = await withVersions(registryEntry('x', '1'));
    const raw = JSON.parse(await readFile(registry.layout.registry, 'utf8')) as Record<string, unknown[]>;
    const later = { bundle: 'z' };
    await writeFile(
      registry.layout.registry,
      JSON.stringify({
        ...raw,
        schema_version: 2,
        packages: [...(raw.packages ?? []), later],
        active: { Q: later },
      }),
    );
    const again = await opened(registry.layout.root);
    expect(await again.list()).toHaveLength(1);
    await again.activate({ name: 'x', version: '1', productIds: ['A'] });
    const written = JSON.parse(await readFile(registry.layout.registry, 'utf8')) as Record<string, unknown>;
    expect(written).toMatchObject({ schema_version: 2, active: { Q: later, A: { name: 'x' } } });
    expect(written.packages).toContainEqual(later);
    expect(again.damage).toBeUndefined();
  });

  test('of a newer schema with another shape is refused with store_damaged and left as it is', async () => {
    const registry = await opened();
    const text = '{"schema_version": 2, "versions": {}}';
    await writeFile(registry.layout.registry, text);
    await expect(Registry.open(registry.layout.root)).rejects.toMatchObject({ code: 'store_damaged' });
    expect(await readFile(registry.layout.registry, 'utf8')).toBe(text);
  });
});

test('rollback passes over a version that no longer supports the product id', async () => {
  const registry = await withVersions(
    registryEntry('x', '1'),
    registryEntry('x', '2'),
    registryEntry('x', '3'),
  );
  for (const version of ['1', '2', '3']) await registry.switch({ name: 'x', version, productIds: ['A'] });
  await registry.register(registryEntry('x', '2', ['B']));
  expect(await registry.rollback({ productId: 'A' })).toMatchObject({ version: '1' });
});

test('unregister refuses an active version with unsafe_uninstall; with force its mappings go and are told and logged', async () => {
  const registry = await withVersions(registryEntry('x', '1'));
  await registry.activate({ name: 'x', version: '1', productIds: ['A'] });
  await expect(registry.unregister('x', '1')).rejects.toMatchObject({
    code: 'unsafe_uninstall',
    errorCode: '2007',
  });
  const events: string[] = [];
  registry.on('deactivated', (mappings) => events.push(...mappings.map(({ pid }) => pid)));
  await registry.unregister('x', '1', { force: true, operator: 'eve' });
  expect(events).toEqual(['A']);
  expect(await readdir(registry.layout.activeRoot)).toEqual([]);
  const log = await readFile(path.join(registry.layout.logs, 'package_activate.log'), 'utf8');
  expect(JSON.parse(log.trim().split('\n').at(-1) ?? '')).toMatchObject({
    ...{ operation: 'deactivate', operator: 'eve', pids: ['A'], outcome: 'ok' },
  });
});

test.each<[unknown, string]>([
  [[], 'productIds'],
  ['A', 'productIds'],
  [[1], 'productIds'],
  [undefined, 'productIds'],
])('activate of the product ids %j is invalid_params', async (pids, path) => {
  const registry = await withVersions(registryEntry('x', '1'));
  const call = registry.activate({ name: 'x', version: '1', productIds: pids as string[] });
  await expect(call).rejects.toMatchObject({ code: 'invalid_params', details: { path } });
});

test('a product id named twice is bound once', async () => {
  const registry = await withVersions(registryEntry('x', '1'));
  expect(await registry.activate({ name: 'x', version: '1', productIds: ['A', 'A'] })).toHaveLength(1);
});

test('of two product ids that differ in case alone one can go without the other', async () => {
  const registry = await withVersions(registryEntry('x', '1', []));
  await registry.activate({ name: 'x', version: '1', productIds: ['a1', 'A1'] });
  await registry.deactivate({ productIds: ['a1'] });
  expect(Object.keys(await registry.active())).toEqual(['A1']);
  const copy = JSON.parse(await readFile(registry.layout.active('A1'), 'utf8')) as unknown;
  expect(copy).toMatchObject({ pid: 'A1' });
});

test('a change waits no longer than told for one that holds the registry, and says who does', async () => {
  const root = await temporaryFolder();
  const registry = await Registry.open(root, { durability: 'none', lockTimeoutMs: 50 });
  onTestFinished(() => registry.close());
  await using _lock = await acquireLock(registry.layout.lock, { operation: 'think' });
  await expect(registry.register(registryEntry('x', '1'))).rejects.toMatchObject({
    ...{ code: 'lock_timeout', retryable: true, message: expect.stringContaining('(think, since') as string },
    details: { holder: { pid: process.pid, operation: 'think' } },
  });
  expect(await registry.list()).toEqual([]);
});

test('an aborted change rejects with AbortError and changes nothing', async () => {
  const registry = await withVersions(registryEntry('x', '1'));
  const lock = await acquireLock(registry.layout.lock, { operation: 'think' });
  const controller = new AbortController();
  const change = registry.activate({ name: 'x', version: '1', productIds: ['A'], signal: controller.signal });
  controller.abort(new Error('enough'));
  await expect(change).rejects.toMatchObject({ name: 'AbortError', code: 'aborted' });
  await lock.release();
  expect(await registry.active()).toEqual({});
  expect((await readdir(registry.layout.algorithms)).filter((name) => name.startsWith('.lock'))).toEqual([]);
});

test('close waits for the change that is under way', async () => {
  const registry = await withVersions(registryEntry('x', '1'));
  const change = registry.activate({ name: 'x', version: '1', productIds: ['A'] });
  await registry.close();
  expect((await readdir(registry.layout.algorithms)).filter((name) => name.startsWith('.lock'))).toEqual([]);
  expect(await change).toHaveLength(1);
});
