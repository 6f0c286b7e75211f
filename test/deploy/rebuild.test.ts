import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { deployStore } from '../support/deploy-store.js';

test('a registry that is rebuilt lists what is whole on disk, in the order of deployment, and tells what is not', async () => {
  const { deployer, registry, join, zip } = await deployStore();
  const files = { 'weights.bin': 'weights' };
  for (const version of ['3.0.0', '1.0.0', '2.0.0']) await deployer.install(await zip({ version, files }));
  await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  await rm(path.join(registry.layout.deployed('sample', '2.0.0'), 'weights.bin'));
  await writeFile(registry.layout.registry, '');
  const other = await join();
  expect((await other.registry.list()).map(({ version }) => version)).toEqual(['3.0.0', '1.0.0']);
  expect(await other.registry.resolve('A01')).toMatchObject({ version: '1.0.0' });
  expect(other.registry.damage).toMatchObject({
    recovered: [{ version: '3.0.0' }, { version: '1.0.0' }],
    problems: expect.arrayContaining([
      expect.stringContaining('deployed/sample/2.0.0 is left out: weights.bin is missing'),
    ]) as string[],
  });
  expect(await other.deployer.scan()).toContainEqual(
    expect.objectContaining({ version: '2.0.0', state: 'invalid' }),
  );
  await other.deployer.install(await zip({ version: '2.0.0', files }));
  expect(await other.deployer.verify('sample', '2.0.0')).toMatchObject({ intact: true });
});
