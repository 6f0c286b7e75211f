import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { onTestFinished, describe, expect, test } from 'vitest';
import { Registry } from '../../src/registry/registry.js';
import type { RegistryEntry } from '../../src/registry/types.js';
import { temporaryFolder } from '../support/temp-folder.js';

function entry(name: string, version: string, pids = ['A', 'B']): RegistryEntry {
  return {
    name,
    version,
    supported_pids: pids,
    state: 'deployed',
    created_at: '2026-01-01T00:00:00.000Z',
    entry_point: 'm:C',
    generation: 'phased',
  };
}

async function opened(root?: string): Promise<Registry> {
  const registry = await Registry.open(root ?? (await temporaryFolder()), { durability: 'none', pollMs: 20 });
  onTestFinished(() => registry.close());
  return registry;
}

async function withVersions(...versions: RegistryEntry[]): Promise<Registry> {
  const registry = await opened();
  for (const version of versions) await registry.register(version);
  return registry;
}

describe('activate', () => {
  test('binds all product ids and publishes a file for each', async () => {
    const registry = await withVersions(entry('x', '1'));
    const events: string[][] = [];
    registry.on('activated', (mappings) => events.push(mappings.map(({ pid }) => pid)));
    await registry.activate({ name: 'x', version: '1', productIds: ['A', 'B'], operator: 'eve' });
    expect(Object.keys(await registry.active())).toEqual(['A', 'B']);
    const file = JSON.parse(await readFile(registry.layout.active('A'), 'utf8')) as unknown;
    expect(file).toMatchObject({ pid: 'A', name: 'x', version: '1', operator: 'eve' });
    expect(events).toEqual([['A', 'B']]);
    expect(await registry.resolve('B')).toMatchObject({ name: 'x', version: '1' });
  });

  test('binds none when one is not supported', async () => {
    const registry = await withVersions(entry('x', '1'));
    await expect(
      registry.activate({ name: 'x', version: '1', productIds: ['A', 'Z'] }),
    ).rejects.toMatchObject({
      code: 'invalid_pid',
      details: { pids: ['Z'] },
    });
    expect(await registry.active()).toEqual({});
  });

  test('binds none when another package serves one, with activation_conflict', async () => {
    const registry = await withVersions(entry('x', '1'), entry('y', '1'));
    await registry.activate({ name: 'y', version: '1', productIds: ['B'] });
    await expect(
      registry.activate({ name: 'x', version: '1', productIds: ['A', 'B'] }),
    ).rejects.toMatchObject({
      code: 'activation_conflict',
      details: { pids: ['B'] },
    });
    expect(Object.keys(await registry.active())).toEqual(['B']);
  });

  test('refuses a version that is not deployed, naming those that are', async () => {
    const registry = await withVersions(entry('x', '1'));
    await expect(registry.activate({ name: 'x', version: '9', productIds: ['A'] })).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('deployed versions: 1') as string,
    });
  });
});

test('switch moves a product id between packages, and rollback brings it back', async () => {
  const registry = await withVersions(entry('x', '1'), entry('y', '2'));
  await registry.activate({ name: 'x', version: '1', productIds: ['A'] });
  await registry.switch({ name: 'y', version: '2', productIds: ['A'] });
  expect(await registry.resolve('A')).toMatchObject({ name: 'y', version: '2' });
  expect(await registry.rollback({ productId: 'A' })).toMatchObject({ name: 'x', version: '1', history: [] });
  await expect(registry.rollback({ productId: 'A' })).rejects.toMatchObject({ code: 'not_found' });
});

test('rollback passes over versions that are gone', async () => {
  const registry = await withVersions(entry('x', '1'), entry('x', '2'), entry('x', '3'));
  for (const version of ['1', '2', '3']) await registry.switch({ name: 'x', version, productIds: ['A'] });
  await registry.unregister('x', '2');
  expect(await registry.rollback({ productId: 'A' })).toMatchObject({ version: '1' });
});

test('resolve of an unbound product id says how to bind it', async () => {
  const registry = await opened();
  await expect(registry.resolve('A')).rejects.toMatchObject({ code: 'not_found', message: /activate/ });
});

test.each([
  ...[
    '../../evil',
    '../x',
    'CON',
    'a/b',
    'C:\\x',
    '__proto__',
    'constructor',
    'ü .',
    '检测😀',
    '',
    'a\0b',
    '\ud800',
  ],
  ...[
    { pid: 'x'.repeat(5_000), toJSON: () => 'of 5000 letters' },
    { pid: '检'.repeat(90), toJSON: () => 'of 90 signs' },
  ],
])('a product id %j is safe as file and as key, and a sweep has nothing to do after it', async (given) => {
  const pid = typeof given === 'string' ? given : given.pid;
  const registry = await withVersions(entry('x', '1', []));
  await registry.activate({ name: 'x', version: '1', productIds: [pid] });
  expect(path.dirname(registry.layout.active(pid))).toBe(registry.layout.activeRoot);
  const copy = JSON.parse(await readFile(registry.layout.active(pid), 'utf8')) as unknown;
  expect(copy).toMatchObject({ pid, name: 'x', version: '1' });
  await registry.sweep();
  const again = await opened(registry.layout.root);
  expect(await again.resolve(pid)).toMatchObject({ name: 'x' });
  expect(Object.values(await again.active())).toMatchObject([{ pid }]);
  await again.deactivate({ productIds: [pid] });
  expect(await again.active()).toEqual({});
});

test('a product id that every object has a property of is not active before it is', async () => {
  const registry = await withVersions(entry('x', '1', []));
  for (const pid of ['constructor', 'toString', '__proto__']) {
    expect((await registry.active())[pid]).toBeUndefined();
    await registry.activate({ name: 'x', version: '1', productIds: [pid] });
    expect((await registry.active())[pid]).toMatchObject({ pid, name: 'x' });
  }
});

test('a change by another process is told, and read without being asked', async () => {
  const registry = await withVersions(entry('x', '1'));
  const other = await opened(registry.layout.root);
  const changed = new Promise<void>((resolve) => registry.on('changed', resolve));
  await other.activate({ name: 'x', version: '1', productIds: ['A'] });
  await changed;
  expect(await registry.resolve('A')).toMatchObject({ version: '1' });
});

test('changes of two processes at once are all there in the end', async () => {
  const first = await withVersions(
    ...Array.from({ length: 10 }, (_, index) => entry('x', String(index), [])),
  );
  const second = await opened(first.layout.root);
  await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      (index % 2 ? first : second).activate({ name: 'x', version: String(index), productIds: [`P${index}`] }),
    ),
  );
  expect(Object.keys(await first.active()).sort()).toEqual(
    Array.from({ length: 10 }, (_, index) => `P${index}`),
  );
});

describe('a damaged registry.json', () => {
  test('that is garbage is set aside, rebuilt from the markers on disk and reported', async () => {
    const registry = await withVersions(entry('x', '1'));
    const { mkdir, readdir } = await import('node:fs/promises');
    const folder = registry.layout.deployed('x', '1');
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, '.procvision-version.json'), JSON.stringify(entry('x', '1')));
    await registry.activate({ name: 'x', version: '1', productIds: ['A'] });
    await registry.close();
    await writeFile(registry.layout.registry, '{"packages": [');
    const again = await opened(registry.layout.root);
    expect(await again.list()).toMatchObject([{ name: 'x', version: '1' }]);
    expect(await again.resolve('A')).toMatchObject({ name: 'x' });
    const aside = (await readdir(registry.layout.root)).filter((name) => name.includes('damaged'));
    expect(aside).toHaveLength(1);
  });

  test('with one bad record costs that record alone, and keeps unknown fields and a newer schema', async () => {
    const registry = await withVersions(entry('x', '1'));
    await registry.close();
    const raw = JSON.parse(await readFile(registry.layout.registry, 'utf8')) as { packages: unknown[] };
    raw.packages.push({ name: 7 });
    await writeFile(
      registry.layout.registry,
      JSON.stringify({ ...raw, schema_version: 9, later: { kept: true } }),
    );
    const again = await opened(registry.layout.root);
    expect(await again.list()).toHaveLength(1);
    await again.activate({ name: 'x', version: '1', productIds: ['A'] });
    const written = JSON.parse(await readFile(registry.layout.registry, 'utf8')) as unknown;
    expect(written).toMatchObject({ schema_version: 9, later: { kept: true } });
  });
});

test('a version used by a live process is running, and no longer when it is released', async () => {
  const registry = await withVersions(entry('x', '1'));
  const use = await registry.use('x', '1');
  const other = await opened(registry.layout.root);
  expect(await other.get('x', '1')).toMatchObject({ state: 'running' });
  await use.release();
  expect(await other.get('x', '1')).toMatchObject({ state: 'deployed' });
});

test('every change is in the audit log with operator, outcome and code', async () => {
  const registry = await withVersions(entry('x', '1'));
  await registry.activate({ name: 'x', version: '1', productIds: ['A'], operator: 'eve' });
  await registry.activate({ name: 'x', version: '1', productIds: ['Z'] }).catch(() => undefined);
  const log = await readFile(path.join(registry.layout.logs, 'package_activate.log'), 'utf8');
  const records = log
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(records.slice(-2)).toMatchObject([
    { operation: 'activate', operator: 'eve', name: 'x', version: '1', pids: ['A'], outcome: 'ok' },
    { operation: 'activate', outcome: 'failed', code: 'invalid_pid' },
  ]);
});

test('after close every method rejects with closed', async () => {
  const registry = await opened();
  await registry.close();
  await expect(registry.list()).rejects.toMatchObject({ code: 'closed' });
});

test('deactivate of a product id that is not active says so, and names those that are', async () => {
  const registry = await withVersions(entry('x', '1'));
  await registry.activate({ name: 'x', version: '1', productIds: ['A'] });
  await expect(registry.deactivate({ productIds: ['B'] })).rejects.toMatchObject({
    ...{ code: 'not_found', details: { pids: ['B'] } },
    message: 'Product id "B" is not active, so there is nothing to deactivate; active are A',
  });
});
