import { mkdir, symlink } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Deployer } from '../../src/deploy/deployer.js';
import { withSteps } from '../../src/deploy/given-steps.js';
import { Registry } from '../../src/registry/registry.js';
import { deployStore } from '../support/deploy-store.js';
import { NO_MOUNTS, readOnly } from '../support/mounts.js';
import { plainSteps } from '../support/plain-steps.js';
import { canLink } from '../support/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** A host on the store at a path of its own. */
async function openAt(root: string) {
  const registry = await Registry.open(root, { durability: 'none', pollMs: 60_000 });
  const deployer = new Deployer(withSteps({ registry }, plainSteps));
  onTestFinished(async () => {
    await deployer.close();
    await registry.close();
  });
  return { registry, deployer };
}

const because = NO_MOUNTS === undefined ? '' : ` (left out: ${NO_MOUNTS})`;
const REFUSED = expect.stringMatching(/^(EROFS|EACCES)$/) as string;

describe.skipIf(NO_MOUNTS)(`read-only${because}`, () => {
  test('a whole store can be read and verified; a change fails with the cause and changes nothing', async () => {
    const { registry: maker, deployer: installer, zip, content } = await deployStore();
    await installer.install(await zip());
    await maker.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
    const more = await zip({ version: '2.0.0' });
    const before = await content();
    readOnly(maker.layout.root);
    const { registry, deployer } = await openAt(maker.layout.root);
    expect(await registry.resolve('A01')).toMatchObject({ version: '1.0.0' });
    expect(await registry.list()).toMatchObject([{ version: '1.0.0', state: 'deployed' }]);
    expect(await deployer.verify('sample', '1.0.0')).toMatchObject({ intact: true });
    expect(await deployer.scan()).toMatchObject([{ version: '1.0.0', state: 'deployed' }]);
    const storeFails = { code: 'store_failed', cause: { code: REFUSED } };
    await expect(deployer.install(more)).rejects.toMatchObject(storeFails);
    await expect(deployer.uninstall('sample', '1.0.0', { force: true })).rejects.toMatchObject(storeFails);
    await expect(registry.deactivate({ productIds: ['A01'] })).rejects.toMatchObject(storeFails);
    await (await registry.use('sample', '1.0.0')).release(); // what is there is served
    expect(await content()).toEqual(before);
  });

  test.each([
    ['deployed', 'deployedRoot'],
    ['algorithms', 'algorithms'],
  ] as const)(
    '%s fails an install with the cause, leaves nothing, and lets it pass when it can be written',
    async (_, folder) => {
      const { deployer, registry, zip, content } = await deployStore();
      const file = await zip();
      await deployer.scan();
      const before = await content();
      const writable = readOnly(registry.layout[folder]);
      await expect(deployer.install(file)).rejects.toMatchObject({
        ...{ code: 'store_failed', cause: { code: REFUSED } },
      });
      expect(await content()).toEqual(before);
      writable();
      await expect(deployer.install(file)).resolves.toMatchObject({ version: '1.0.0' });
    },
  );

  test.each([
    ['zips', 'zips'],
    ['logs', 'logs'],
    ['active', 'activeRoot'],
  ] as const)('%s keeps nobody from installing, binding and removing', async (_, folder) => {
    const { deployer, registry, zip } = await deployStore();
    const file = await zip();
    readOnly(registry.layout[folder]);
    await deployer.install(file);
    await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
    expect(await registry.resolve('A01')).toMatchObject({ version: '1.0.0' });
    await registry.deactivate({ productIds: ['A01'] });
    await deployer.uninstall('sample', '1.0.0');
    expect(await registry.list()).toEqual([]);
  });
});

describe.runIf(canLink())('a store whose root is a symbolic link', () => {
  test('is one store with the folder it leads to: same versions, same locks, same uses', async () => {
    const folder = await temporaryFolder();
    await mkdir(path.join(folder, 'real'));
    await symlink('real', path.join(folder, 'link'));
    const byLink = await deployStore({}, path.join(folder, 'link'));
    await byLink.deployer.install(await byLink.zip());
    const direct = await openAt(path.join(folder, 'real', 'store'));
    expect(await direct.deployer.recover()).toMatchObject({ recovered: [], busy: [], repaired: [] });
    expect(await direct.deployer.verify('sample', '1.0.0')).toMatchObject({ intact: true });
    const use = await direct.registry.use('sample', '1.0.0');
    await expect(byLink.deployer.uninstall('sample', '1.0.0')).rejects.toMatchObject({
      code: 'unsafe_uninstall',
    });
    await expect(byLink.deployer.install(await byLink.zip(), { force: true })).rejects.toMatchObject({
      code: 'version_in_use',
    });
    await use.release();
    await byLink.deployer.uninstall('sample', '1.0.0');
    expect(await direct.registry.list()).toEqual([]);
  });

  test('that is the root itself opens, and one that leads nowhere is refused with its path', async () => {
    const folder = await temporaryFolder();
    await mkdir(path.join(folder, 'real'));
    await symlink(path.join(folder, 'real'), path.join(folder, 'link'));
    await symlink(path.join(folder, 'nowhere'), path.join(folder, 'dangling'));
    const { registry, deployer } = await openAt(path.join(folder, 'link'));
    expect(registry.layout.root).toBe(path.join(folder, 'link'));
    expect(await deployer.scan()).toEqual([]);
    await expect(Registry.open(path.join(folder, 'dangling'))).rejects.toMatchObject({
      ...{ code: 'store_failed', message: expect.stringContaining(path.join(folder, 'dangling')) as string },
    });
  });
});
