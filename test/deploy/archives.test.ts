import { readdirSync, statSync } from 'node:fs';
import { access, chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { planArchives, type ArchivedVersion } from '../../src/deploy/prune/archives.js';
import { deployStore } from '../support/deploy-store.js';
import { openStation } from '../support/station.js';

const archived = (name: string, version: string, bytes: number, archivedMs: number): ArchivedVersion => ({
  ...{ name, version, bytes, archivedMs, folder: '' },
});
const DAY = 24 * 60 * 60 * 1000;
const NEWEST_FIRST = [
  archived('a', '3', 10, 9 * DAY),
  archived('b', '1', 10, 8 * DAY),
  archived('a', '2', 10, 5 * DAY),
  archived('a', '1', 10, 1 * DAY),
];

test.each([
  ['no bound', {}, []],
  ['keep: 1', { keep: 1 }, ['a 2', 'a 1']],
  ['keep: 0', { keep: 0 }, ['a 3', 'b 1', 'a 2', 'a 1']],
  ['maxAgeDays: 3.5', { maxAgeDays: 3.5 }, ['a 2', 'a 1']],
  ['maxBytes: 25', { maxBytes: 25 }, ['a 2', 'a 1']],
  ['maxBytes: 0', { maxBytes: 0 }, ['a 3', 'b 1', 'a 2', 'a 1']],
  ['keep: 2 and maxBytes: 20', { keep: 2, maxBytes: 20 }, ['a 2', 'a 1']],
])('of four archives, with %s, those past the bound go', (_, bounds, expected) => {
  const gone = planArchives(NEWEST_FIRST, bounds, 9 * DAY);
  expect(gone.map(({ name, version }) => `${name} ${version}`)).toEqual(expected);
});

async function archivedStore(archives: object) {
  const store = await deployStore({ retention: { keep: 1, action: 'archive', archives } });
  for (const version of ['1.0.0', '2.0.0', '3.0.0', '4.0.0']) {
    await store.deployer.install(await store.zip({ version }));
    await store.deployer.prune();
  }
  const isArchived = (version: string) =>
    access(path.join(store.registry.layout.algorithms, '.archive', 'sample', version)).then(
      () => true,
      () => false,
    );
  const versions = async () => (await store.registry.list()).map(({ version }) => version);
  return { ...store, isArchived, versions };
}

test('a prune keeps the newest archives of a name, and reports those that went; with dryRun nothing goes', async () => {
  const { deployer, isArchived, zip } = await archivedStore({ keep: 2 });
  expect(await Promise.all(['1.0.0', '2.0.0', '3.0.0'].map(isArchived))).toEqual([false, true, true]);
  await deployer.install(await zip({ version: '5.0.0' }));
  expect(await deployer.prune({ dryRun: true })).toMatchObject({ archives: [] }); // 4.0.0 is not archived yet
  expect(await deployer.prune()).toMatchObject({
    pruned: [{ version: '4.0.0', action: 'archive' }],
    archives: [{ name: 'sample', version: '2.0.0' }],
  });
  expect(await isArchived('2.0.0')).toBe(false);
});

test('restore() deploys an archived version again without its package, and its archive goes', async () => {
  const { deployer, registry, isArchived, versions } = await archivedStore({});
  const installed: string[] = [];
  deployer.on('installed', ({ operation, version }) => installed.push(`${operation} ${version}`));
  expect(await deployer.restore('sample', '2.0.0')).toMatchObject({ name: 'sample', version: '2.0.0' });
  expect(await versions()).toEqual(['4.0.0', '2.0.0']);
  expect(await isArchived('2.0.0')).toBe(false);
  expect(installed).toEqual(['restore 2.0.0']);
  expect(await deployer.verify('sample', '2.0.0')).toMatchObject({ intact: true });
  await registry.activate({ name: 'sample', version: '2.0.0', productIds: ['A01'] });
});

test('what restore() works on can be written by its owner, as what is unpacked can, and is sealed again at the end', async () => {
  const { deployer, registry } = await archivedStore({});
  const { staging } = registry.layout;
  const copies: boolean[] = [];
  deployer.on('stage', ({ stage }) => {
    if (stage !== 'environment') return;
    for (const name of readdirSync(staging)) {
      const { mode } = statSync(path.join(staging, name, 'tree', 'requirements.txt'));
      copies.push((mode & 0o200) !== 0);
    }
  });
  await deployer.restore('sample', '2.0.0');
  expect(copies).toEqual([true]);
  const sealed = statSync(path.join(registry.layout.deployed('sample', '2.0.0'), 'requirements.txt'));
  expect(sealed.mode & 0o222).toBe(0);
});

test('restore() of what is not archived names what is, and of what was changed refuses', async () => {
  const { deployer, registry, isArchived } = await archivedStore({});
  await expect(deployer.restore('sample', '9.0.0')).rejects.toMatchObject({
    ...{ code: 'not_found', message: expect.stringContaining('sample 3.0.0') as string },
  });
  const file = path.join(registry.layout.algorithms, '.archive', 'sample', '2.0.0', 'requirements.txt');
  await chmod(file, 0o644);
  await writeFile(file, '# forged');
  await expect(deployer.restore('sample', '2.0.0')).rejects.toMatchObject({
    ...{ code: 'store_damaged', message: expect.stringContaining('requirements.txt') as string },
  });
  expect(await isArchived('2.0.0')).toBe(true);
});

test('an install without room says which archives may go', async () => {
  const { deployer, zip } = await archivedStore({});
  const fs = await import('node:fs');
  const { syncBuiltinESMExports } = await import('node:module');
  const original = fs.default.promises.statfs;
  fs.default.promises.statfs = (() =>
    Promise.resolve({ bavail: 1, bsize: 1, files: 0, ffree: 0 })) as unknown as typeof original;
  syncBuiltinESMExports();
  try {
    await expect(deployer.install(await zip({ version: '5.0.0' }))).rejects.toMatchObject({
      code: 'store_failed',
      cause: { code: 'ENOSPC' },
      message: expect.stringMatching(/may go, the oldest first: sample 1\.0\.0, sample 2\.0\.0/) as string,
    });
  } finally {
    fs.default.promises.statfs = original;
    syncBuiltinESMExports();
  }
});

test('a real package that was archived is restored, runs its trial, and answers a call', async () => {
  const { registry, deployer: _, supervisor, deliver } = await openStation();
  const { Deployer } = await import('../../src/index.js');
  await using deployer = new Deployer({ registry, retention: { keep: 1, action: 'archive' } });
  for (const version of ['1.0.0', '2.0.0']) await deployer.install(await deliver({ version }));
  await deployer.prune();
  const checks = vi.fn();
  deployer.on('check', checks);
  await deployer.restore('sample', '1.0.0');
  expect(checks.mock.calls.map(([check]) => (check as { name: string }).name)).toContain('smoke_execute');
  expect(await deployer.verify('sample', '1.0.0')).toMatchObject({ intact: true });
  const image = { data: new Uint8Array(12), width: 2, height: 2 };
  const target = { name: 'sample', version: '1.0.0' };
  expect(await supervisor.execute({ target, stepIndex: 1, image })).toMatchObject({ status: 'OK' });
});
