import { chmod, copyFile, link, mkdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { resolvePermissions } from '../../src/deploy/seal/permissions.js';
import { sealTree } from '../../src/deploy/seal/seal.js';
import { syncAll } from '../../src/deploy/transaction/move-by-copy.js';
import { openAsOnWindows } from '../support/open-as-on-windows.js';
import { temporaryFolder } from '../support/temp-folder.js';

test('on Windows the read-only copy of an archived file is sealed and synced, and a shared file without a hash is read as it is', async () => {
  const folder = await temporaryFolder();
  const [root, archived] = [path.join(folder, 'tree'), path.join(folder, 'archived')];
  await mkdir(root);
  await writeFile(archived, 'copied');
  await chmod(archived, 0o444);
  await copyFile(archived, path.join(root, 'copy')); // with its mark
  await link(archived, path.join(root, 'shared'));
  await writeFile(path.join(root, 'fresh'), 'fresh');
  using system = openAsOnWindows();
  const { files } = await sealTree(root, {
    ...{ permissions: resolvePermissions(), durability: 'full', sharedAreDurable: true, platform: 'win32' },
  });
  expect(Object.keys(files).sort()).toEqual(['copy', 'fresh', 'shared']);
  expect(files.copy).toEqual(files.shared);
  for (const name of Object.keys(files)) expect((await stat(path.join(root, name))).mode & 0o222).toBe(0);
  expect(system.synced.sort()).toEqual(['copy', 'fresh']);
});

test('on Windows each file of a copy is synced, a sealed one too, which is read-only afterwards', async () => {
  const root = await temporaryFolder();
  await mkdir(path.join(root, 'inner'));
  for (const name of ['sealed', 'inner/open']) await writeFile(path.join(root, name), name);
  await chmod(path.join(root, 'sealed'), 0o444);
  using system = openAsOnWindows();
  await syncAll(root, 'win32');
  expect(system.synced.sort()).toEqual(['open', 'sealed']);
  expect((await stat(path.join(root, 'sealed'))).mode & 0o222).toBe(0);
  expect((await stat(path.join(root, 'inner/open'))).mode & 0o200).toBe(0o200);
  await syncAll(path.join(root, 'sealed'), 'win32');
  expect(system.synced.sort()).toEqual(['open', 'sealed', 'sealed']);
});
