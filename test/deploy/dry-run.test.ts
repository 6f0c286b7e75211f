import { expect, onTestFinished, test } from 'vitest';
import { FakeWorker, TemporaryStore } from '../../src/testing/index.js';
import { deployStore } from '../support/deploy-store.js';
import { folderState } from '../support/folder-state.js';
import { KILLED, runChild } from '../support/kill-process.js';
import { openStore, storeFolder } from '../support/kill-scenarios.js';
import { prepared } from '../support/prepared-store.js';

/** File steps after which the process is killed: before the journal, within the work, around the commit. */
const CUT_OFF = [
  ['install', 4],
  ['install', 36],
  ['force-install', 20],
  ['force-install', 44],
  ['uninstall', 6],
  ['uninstall', 12],
  ['prune', 10],
] as const;

test.each(CUT_OFF)(
  '%s that was killed at file step %i: a dry run of recover says what recover then does, and changes nothing on disk',
  async (scenario, at) => {
    const root = await prepared(scenario);
    expect(await runChild(scenario, root, { mode: 'kill', at })).toMatchObject(KILLED);
    await using store = await openStore(root);
    const before = await folderState(storeFolder(root));
    const events: unknown[] = [];
    store.deployer.on('recovered', (report) => events.push(report));
    const planned = await store.deployer.recover({ dryRun: true });
    expect(await folderState(storeFolder(root))).toEqual(before);
    expect(events).toEqual([]);
    const { recovered, busy } = await store.deployer.recover();
    expect(planned).toMatchObject({ recovered, busy });
  },
);

test('a dry run of prune or uninstall is no first operation: what a killed process left stays as it is', async () => {
  const root = await prepared('force-install');
  await runChild('force-install', root, { mode: 'kill', at: 44 });
  await using store = await openStore(root);
  const before = await folderState(storeFolder(root));
  await store.deployer.prune({ dryRun: true });
  await store.deployer.uninstall('sample', '1.0.0', { dryRun: true, force: true });
  expect(await folderState(storeFolder(root))).toEqual(before);
});

test('dry runs write nothing at all in the store, not even to its logs', async () => {
  const { deployer, registry, zip } = await deployStore({ retention: { keep: 1, action: 'archive' } });
  for (const version of ['1.0.0', '2.0.0', '3.0.0']) await deployer.install(await zip({ version }));
  await registry.activate({ name: 'sample', version: '3.0.0', productIds: ['A01'] });
  const before = await folderState(registry.layout.root);
  expect((await deployer.prune({ dryRun: true })).pruned).not.toEqual([]);
  await deployer.uninstall('sample', '1.0.0', { dryRun: true });
  const refused = deployer.uninstall('sample', '3.0.0', { dryRun: true });
  await expect(refused).rejects.toMatchObject({ code: 'unsafe_uninstall' });
  expect(await deployer.recover({ dryRun: true })).toMatchObject({ recovered: [], repaired: [] });
  expect(await folderState(registry.layout.root)).toEqual(before);
});

test('a dry run of a switch writes nothing in the store', async () => {
  const store = await TemporaryStore.open();
  onTestFinished(() => store.close());
  const fake = new FakeWorker();
  for (const version of ['1', '2']) await store.deploy({ version, worker: fake });
  await store.registry.activate({ name: 'sample', version: '1', productIds: ['A01'] });
  const supervisor = store.supervise();
  const before = await folderState(store.registry.layout.root);
  await supervisor.switch({ name: 'sample', version: '2', productIds: ['A01'], dryRun: true });
  const unknown = { name: 'sample', version: '9', productIds: ['A01'], dryRun: true };
  await expect(supervisor.switch(unknown)).rejects.toMatchObject({ code: 'not_found' });
  expect(await folderState(store.registry.layout.root)).toEqual(before);
  expect(fake.processes).toEqual([]);
});
