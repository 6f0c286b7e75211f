import { chmod, link, lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { leaveEmptied, removeLeft, setAside } from '../../bench/harness/aside.js';
import { temporaryFolder } from '../support/temp-folder.js';

test('a folder that is set aside is gone, its files keep their inodes and no bytes, and files with other names lose one', async () => {
  const folder = await temporaryFolder();
  const [store, environment] = [path.join(folder, 'store'), path.join(folder, 'environment')];
  await mkdir(path.join(environment, 'lib'), { recursive: true });
  await mkdir(store);
  await writeFile(path.join(store, 'shared.py'), 'shared = 1\n');
  await link(path.join(store, 'shared.py'), path.join(environment, 'lib', 'shared.py'));
  const own = path.join(environment, 'own.py');
  await writeFile(own, 'own = 1\n');
  await chmod(own, 0o444);
  await symlink(store, path.join(environment, 'store'));
  const { ino } = await lstat(own);

  await setAside(folder, environment, path.join(folder, 'never-made'));

  expect((await readdir(folder)).sort()).toEqual(['aside', 'store']);
  const [moved = ''] = await readdir(path.join(folder, 'aside'));
  const aside = path.join(folder, 'aside', moved);
  expect(await lstat(path.join(aside, 'own.py'))).toMatchObject({ ino, size: 0 });
  expect(await readdir(path.join(aside, 'lib'))).toEqual([]);
  expect(await readFile(path.join(store, 'shared.py'), 'utf8')).toBe('shared = 1\n');
});

test('the folder of a case that is over is empty of bytes until the run is over, and gone then', async () => {
  const folder = path.join(await temporaryFolder(), 'case');
  await mkdir(folder);
  await writeFile(path.join(folder, 'package.zip'), 'PK');
  await leaveEmptied(folder);
  expect((await lstat(path.join(folder, 'package.zip'))).size).toBe(0);
  await removeLeft();
  await expect(lstat(folder)).rejects.toMatchObject({ code: 'ENOENT' });
});
