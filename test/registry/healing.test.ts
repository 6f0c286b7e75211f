import fs from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { AlgorithmSupervisor, Deployer, FramePool, Registry } from '../../src/index.js';
import type { RegistryDamage } from '../../src/types.js';
import { FakeWorker, TemporaryStore } from '../../src/testing/index.js';
import { writeFileAtomic } from '../../src/store/atomic-file.js';
import { NO_MOUNTS, readOnly } from '../support/mounts.js';
import { IS_WINDOWS } from '../support/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';

const image = { data: new Uint8Array(12), width: 2, height: 2 };

async function open(): Promise<TemporaryStore> {
  const store = await TemporaryStore.open({ pollMs: 20 });
  onTestFinished(() => store.close());
  const entry = await store.deploy({
    version: '1.0.0',
    worker: new FakeWorker(),
    productIds: ['A01', 'B02'],
  });
  // As an install writes it last: the version speaks for itself.
  const marker = path.join(store.layout.deployed('sample', '1.0.0'), '.procvision-version.json');
  await writeFile(marker, JSON.stringify(entry));
  await store.registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  return store;
}

test('a registry that is gone is not made anew without its versions while the system has no descriptor left', async () => {
  const { layout, root } = await open();
  await rm(layout.registry);
  const refuse = () =>
    Promise.reject(Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' }));
  const looked = vi.spyOn(fs.promises, 'readdir').mockImplementation(refuse);
  syncBuiltinESMExports();
  try {
    await expect(Registry.open(root, { durability: 'none' })).rejects.toMatchObject({ code: 'store_failed' });
  } finally {
    looked.mockRestore();
    syncBuiltinESMExports();
  }
  await using registry = await Registry.open(root, { durability: 'none' });
  expect(await registry.list()).toMatchObject([{ version: '1.0.0' }]);
  expect(Object.keys(await registry.active())).toEqual(['A01']);
});

test.each(['../evil', 'con', 'a/b', '', 'x'.repeat(300)])(
  'a version %j in registry.json, which no folder can be called, is left out, told, and stops nothing',
  async (version) => {
    const store = await open();
    const { registry, layout } = store;
    const damages: RegistryDamage[] = [];
    registry.on('damaged', (damage) => damages.push(damage));
    const content = JSON.parse(await readFile(layout.registry, 'utf8')) as { packages: object[] };
    content.packages.push({ ...content.packages[0], version });
    await writeFileAtomic(layout.registry, JSON.stringify(content)); // a look at half of it would be another damage
    expect((await registry.list()).map((entry) => entry.version)).toEqual(['1.0.0']);
    await registry.switch({ name: 'sample', version: '1.0.0', productIds: ['B02'] });
    await store.deployer().recover();
    await store.deployer().scan();
    await store.deployer().prune();
    expect(damages).toHaveLength(1);
    expect(damages[0]?.problems).toEqual(['packages.1 is no registry entry']);
  },
);

test.each([
  ['registry.json', (store: TemporaryStore) => store.layout.registry],
  ['the copy of a mapping', (store: TemporaryStore) => store.layout.active('A01')],
  ['the copy of a mapping that there is not', (store: TemporaryStore) => store.layout.active('Z99')],
  ['the lock of the store', (store: TemporaryStore) => store.layout.lock],
  ['the owner of the lock of the store', (store: TemporaryStore) => `${store.layout.lock}.owner`],
])('a folder in the place of %s stops no change, and is put aside or left', async (_, place) => {
  const store = await open();
  const folder = place(store);
  await rm(folder, { force: true });
  await mkdir(path.join(folder, 'inside'), { recursive: true });
  await using other = await Registry.open(store.root, { durability: 'none' });
  await other.switch({ name: 'sample', version: '1.0.0', productIds: ['A01', 'B02'] });
  expect(Object.keys(await other.active())).toEqual(['A01', 'B02']);
  await store.deployer().recover();
  expect(JSON.parse(await readFile(store.layout.active('A01'), 'utf8'))).toMatchObject({ version: '1.0.0' });
  await other.deactivate({ productIds: ['B02'] });
});

test.each([
  ['the marker of a version', '.procvision-version.json'],
  ['the configuration of an environment', 'venv/pyvenv.cfg'],
  ['the interpreter of an environment', 'venv/bin/python'],
])('a folder in the place of %s keeps no other version from anything', async (_, file) => {
  const store = await open();
  await store.deploy({ version: '2.0.0' });
  const folder = path.join(store.layout.deployed('sample', '1.0.0'), file);
  await rm(folder, { force: true, recursive: true });
  await mkdir(folder, { recursive: true });
  const deployer = store.deployer();
  await deployer.recover();
  expect((await deployer.scan()).map(({ version }) => version)).toEqual(['1.0.0', '2.0.0']);
  await deployer.uninstall('sample', '2.0.0');
  await deployer.uninstall('sample', '1.0.0', { force: true });
  expect(await store.registry.list()).toEqual([]);
});

test('a journal that is a folder is skipped or put away, and the rest is recovered', async () => {
  const store = await open();
  const folder = path.join(store.layout.staging, '1.1.00000000.00000000');
  await mkdir(path.join(folder, 'journal.json'), { recursive: true });
  const report = await store.deployer().recover();
  expect(report.skipped).toEqual([]);
  expect(report.busy).toHaveLength(1); // of nobody that can be seen from here: it is left for a day
});

test.skipIf(NO_MOUNTS)(
  'a host that starts on a read-only store serves its product ids, says that it has no mark, and has one when it can be written',
  async () => {
    const store = await open();
    const end = readOnly(store.root);
    const registry = await Registry.open(store.root);
    onTestFinished(() => registry.close());
    const unmarked: string[] = [];
    registry.on('unmarked', ({ name, version }) => unmarked.push(`${name} ${version}`));
    await using supervisor = new AlgorithmSupervisor({ registry });
    const asked = () => supervisor.execute({ productId: 'A01', stepIndex: 1, image });
    expect(await asked()).toMatchObject({ status: 'OK', timing: { startMs: expect.any(Number) as number } });
    expect(unmarked).toEqual(['sample 1.0.0']);
    await using deployer = new Deployer({ registry });
    expect(await deployer.scan()).toMatchObject([{ version: '1.0.0', state: 'deployed' }]);
    await expect(registry.deactivate({ productIds: ['A01'] })).rejects.toMatchObject({
      code: 'store_failed',
    });
    end();
    await registry.switch({ name: 'sample', version: '1.0.0', productIds: ['A01', 'B02'] });
    await vi.waitFor(async () => {
      expect(await registry.users('sample', '1.0.0')).toHaveLength(1);
    }, 30_000);
    expect(await asked()).toMatchObject({ status: 'OK' });
  },
);

test.skipIf(NO_MOUNTS)(
  'a damaged registry.json on a read-only store serves with what the disk proves',
  async () => {
    const store = await open();
    await writeFile(store.layout.registry, '{ half');
    readOnly(store.root);
    await using registry = await Registry.open(store.root);
    expect(registry.damage?.recovered).toEqual([{ name: 'sample', version: '1.0.0' }]);
    expect(await registry.resolve('A01')).toMatchObject({ version: '1.0.0' });
  },
);

test('a store whose disk is gone for a while serves on from memory, and takes changes again when it is back', async () => {
  const store = await open();
  const { registry } = store;
  // On Windows the pictures of a worker that takes no names are files in the store, if no other folder is given.
  const frames = IS_WINDOWS ? new FramePool({ directory: await temporaryFolder() }) : undefined;
  onTestFinished(() => frames?.close());
  const supervisor = store.supervise({ frames });
  const asked = () => supervisor.execute({ productId: 'A01', stepIndex: 1, image });
  await asked();
  const events: string[] = [];
  registry.on('storeLost', () => events.push('lost'));
  registry.on('storeFound', () => events.push('found'));
  const away = `${store.root}.away`;
  await rename(store.root, away);
  await mkdir(store.root); // what is left of a mount
  for (let n = 0; n < 5; n++) expect(await asked()).toMatchObject({ status: 'OK', version: '1.0.0' });
  await expect(registry.deactivate({ productIds: ['A01'] })).rejects.toMatchObject({ code: 'store_failed' });
  expect(await readdir(store.root)).not.toContain('algorithms');
  expect(events).toEqual(['lost']);
  await rm(store.root, { recursive: true });
  await rename(away, store.root);
  await vi.waitFor(() => {
    expect(events).toEqual(['lost', 'found']);
  }, 20_000);
  await registry.switch({ name: 'sample', version: '1.0.0', productIds: ['A01', 'B02'] });
  expect(await asked()).toMatchObject({ status: 'OK' });
});
