import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { deployStore } from '../support/deploy-store.js';

test('uninstall of an idle version leaves neither entry nor folder', async () => {
  const { deployer, registry, zip, content } = await deployStore();
  const file = await zip();
  await deployer.install(file);
  const events: unknown[] = [];
  deployer.on('uninstalled', (event) => events.push(event));
  await deployer.uninstall('sample', '1.0.0', { operator: 'kim', id: 'mine' });
  const log = await readFile(path.join(registry.layout.logs, 'package_install.log'), 'utf8');
  expect(JSON.parse(log.trim().split('\n').at(-1) ?? '')).toMatchObject({
    ...{
      operation: 'uninstall',
      operator: 'kim',
      name: 'sample',
      version: '1.0.0',
      pids: ['A01'],
      outcome: 'ok',
    },
  });
  expect(await registry.list()).toEqual([]);
  expect(await readdir(registry.layout.deployedRoot)).toEqual([]);
  expect(events).toEqual([{ id: 'mine', operation: 'uninstall', name: 'sample', version: '1.0.0' }]);
  expect(Object.keys(await content()).filter((file) => file.includes('.staging'))).toEqual([]);
});

test('uninstall of one version leaves the other versions of its name', async () => {
  const { deployer, zip } = await deployStore();
  await deployer.install(await zip({ version: '1.0.0' }));
  await deployer.install(await zip({ version: '2.0.0' }));
  await deployer.uninstall('sample', '1.0.0');
  expect(await deployer.verify('sample', '2.0.0')).toMatchObject({ intact: true });
});

test('uninstall of a version that is not there rejects with not_found', async () => {
  const { deployer } = await deployStore();
  await expect(deployer.uninstall('sample', '1.0.0')).rejects.toMatchObject({ code: 'not_found' });
});

test('uninstall of an active version is refused with unsafe_uninstall naming the pid, and changes nothing', async () => {
  const { deployer, registry, zip, content } = await deployStore();
  await deployer.install(await zip());
  await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  const before = await content();
  await expect(deployer.uninstall('sample', '1.0.0')).rejects.toMatchObject({
    ...{ code: 'unsafe_uninstall', errorCode: '2007', details: { pids: ['A01'] } },
  });
  expect(await content()).toEqual(before);
});

test('uninstall of a version that another host runs is refused with unsafe_uninstall', async () => {
  const { deployer, join, zip } = await deployStore();
  await deployer.install(await zip());
  const other = await join();
  const use = await other.registry.use('sample', '1.0.0');
  await expect(deployer.uninstall('sample', '1.0.0')).rejects.toMatchObject({
    ...{ code: 'unsafe_uninstall', errorCode: '2007', details: { users: [{ pid: process.pid }] } },
  });
  await use.release();
  await deployer.uninstall('sample', '1.0.0');
});

test('forced uninstall of an active version takes its mapping along', async () => {
  const { deployer, registry, zip } = await deployStore();
  await deployer.install(await zip());
  await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  await deployer.uninstall('sample', '1.0.0', { force: true });
  expect(await registry.active()).toEqual({});
  expect(await readdir(registry.layout.activeRoot)).toEqual([]);
});

test('a version that is taken into use while it is uninstalled stays, or the use is refused', async () => {
  const { deployer, join, zip, registry } = await deployStore();
  const other = await join();
  for (let round = 0; round < 20; round++) {
    await deployer.install(await zip());
    const [use, uninstall] = await Promise.allSettled([
      other.registry.use('sample', '1.0.0'),
      deployer.uninstall('sample', '1.0.0'),
    ]);
    expect([use.status, uninstall.status].filter((status) => status === 'fulfilled')).toHaveLength(1);
    expect(await registry.list()).toHaveLength(use.status === 'fulfilled' ? 1 : 0);
    if (use.status === 'fulfilled') {
      expect(await deployer.verify('sample', '1.0.0')).toMatchObject({ intact: true });
      await use.value.release();
      await deployer.uninstall('sample', '1.0.0');
    }
  }
});

describe('a version that a rollback would go back to', () => {
  async function switched() {
    const store = await deployStore();
    for (const version of ['1.0.0', '2.0.0'])
      await store.deployer.install(await store.zip({ version, productIds: ['A'] }));
    await store.registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A'] });
    await store.registry.switch({ name: 'sample', version: '2.0.0', productIds: ['A'] });
    return store;
  }

  test('is not uninstalled: the failure names the id and how to do it all the same', async () => {
    const { deployer, registry } = await switched();
    await expect(deployer.uninstall('sample', '1.0.0')).rejects.toMatchObject({
      code: 'unsafe_uninstall',
      message: expect.stringMatching(/rollback of A .*alsoRollbackTargets or force/) as string,
      details: { rollbackProductIds: ['A'] },
    });
    expect((await registry.rollback({ productId: 'A' })).version).toBe('1.0.0');
  });

  test.each([{ alsoRollbackTargets: true }, { force: true }])('is uninstalled with %j', async (o) => {
    const { deployer, registry } = await switched();
    await deployer.uninstall('sample', '1.0.0', o);
    expect((await registry.list()).map(({ version }) => version)).toEqual(['2.0.0']);
  });
});

test('a dry run of an uninstall rejects as the uninstall would, and changes nothing', async () => {
  const { deployer, registry, zip, content } = await deployStore();
  await deployer.install(await zip({ version: '1.0.0', productIds: ['A'] }));
  const before = await content();
  await deployer.uninstall('sample', '1.0.0', { dryRun: true });
  expect(await content()).toEqual(before);
  await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A'] });
  const refused = { code: 'unsafe_uninstall' };
  await expect(deployer.uninstall('sample', '1.0.0', { dryRun: true })).rejects.toMatchObject(refused);
  await expect(deployer.uninstall('sample', '9', { dryRun: true })).rejects.toMatchObject({
    code: 'not_found',
  });
});
