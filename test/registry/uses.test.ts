import { mkdir, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { ownIdentity } from '../../src/process/identity.js';
import { markedVersions, markUse, sweepUses, usersOf } from '../../src/registry/uses.js';
import { StoreLayout } from '../../src/store/layout.js';
import { FakeWorker, TemporaryStore } from '../../src/testing/index.js';
import { IS_WINDOWS } from '../support/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';

async function marked(change: object, age: number): Promise<{ layout: StoreLayout; folder: string }> {
  const layout = new StoreLayout(await temporaryFolder());
  const folder = path.join(layout.algorithms, '.uses', 'x', '1');
  await mkdir(folder, { recursive: true });
  const file = path.join(folder, 'a.json');
  await writeFile(file, JSON.stringify({ ...(await ownIdentity()), ...change }));
  const then = new Date(Date.now() - age);
  await utimes(file, then, then);
  return { layout, folder };
}

const HOUR = 3_600_000;

test('a version has as many users as marks of the living, and none when all are released', async () => {
  const layout = new StoreLayout(await temporaryFolder());
  const uses = await Promise.all([
    markUse(layout, 'x', '1'),
    markUse(layout, 'x', '1'),
    markUse(layout, 'y', '1'),
  ]);
  expect(await usersOf(layout, 'x', '1')).toHaveLength(2);
  expect([...(await markedVersions(layout))].sort()).toEqual(['x/1', 'y/1']);
  for (const use of uses) await use.release();
  expect(await usersOf(layout, 'x', '1')).toEqual([]);
  expect(await readdir(layout.algorithms)).toEqual([]);
});

test('marking and releasing at once never fail for a folder that goes under them', async () => {
  const layout = new StoreLayout(await temporaryFolder());
  await Promise.all(
    Array.from({ length: 10 }, async () => {
      for (let n = 0; n < 10; n++) await (await markUse(layout, 'x', '1')).release();
    }),
  );
  expect(await usersOf(layout, 'x', '1')).toEqual([]);
});

test('the mark of a dead process does not count and is swept', async () => {
  const { layout, folder } = await marked({ startTime: '1' }, 0);
  expect(await usersOf(layout, 'x', '1')).toEqual([]);
  expect(await readdir(folder)).toEqual([]);
});

// Windows takes a link to itself for nothing.
test.skipIf(IS_WINDOWS)(
  'marks that cannot be read are no sign that nobody uses the version: it is not taken away',
  async () => {
    await using store = await TemporaryStore.open();
    const { registry, layout } = store;
    await store.deploy({ version: '1', worker: new FakeWorker() });
    const folder = path.join(layout.algorithms, '.uses', 'sample');
    await mkdir(folder, { recursive: true });
    await symlink('1', path.join(folder, '1')); // a link to itself: the system refuses to read it, also to root
    await expect(registry.unregister('sample', '1')).rejects.toMatchObject({ code: 'store_failed' });
    expect(await registry.list()).toMatchObject([{ version: '1', state: 'running' }]);
    await rm(path.join(folder, '1'));
    await registry.unregister('sample', '1');
  },
);

test('a user on another host counts while it refreshes its mark, and no longer when it has been silent for an hour', async () => {
  const fresh = await marked({ host: 'line-7' }, 60_000);
  expect(await usersOf(fresh.layout, 'x', '1')).toMatchObject([{ host: 'line-7' }]);
  const silent = await marked({ host: 'line-7' }, HOUR);
  expect(await usersOf(silent.layout, 'x', '1')).toEqual([]);
  expect(await readdir(silent.folder)).toEqual([]);
});

test('a user of this host that is seen to live counts, however old its mark is', async () => {
  const { layout } = await marked({}, HOUR);
  expect(await usersOf(layout, 'x', '1')).toHaveLength(1);
});

test('a mark that somebody removed in error comes again with its next refresh, and not after its release', async () => {
  const layout = new StoreLayout(await temporaryFolder());
  const use = await markUse(layout, 'x', '1', 5);
  const folder = path.join(layout.algorithms, '.uses', 'x', '1');
  for (const file of await readdir(folder)) await rm(path.join(folder, file), { force: true });
  await vi.waitFor(async () => {
    expect(await usersOf(layout, 'x', '1')).toHaveLength(1);
  });
  await use.release();
  expect(await readdir(layout.algorithms)).toEqual([]);
});

test('what processes that were killed left of their marks is swept, and the folders with it; a living one stays', async () => {
  const { layout, folder } = await marked({ startTime: '1' }, 0);
  const id = '00000000-0000-4000-8000-000000000000';
  const hourAgo = new Date(Date.now() - HOUR);
  for (const name of [`.${id}.probe`, `.${id}.json.${id}.tmp`]) {
    await writeFile(path.join(folder, name), '');
    await utimes(path.join(folder, name), hourAgo, hourAgo);
  }
  await using _use = await markUse(layout, 'y', '1');
  await sweepUses(layout);
  expect([...(await markedVersions(layout))]).toEqual(['y/1']);
  expect(await readdir(path.join(layout.algorithms, '.uses'))).toEqual(['y']);
});
