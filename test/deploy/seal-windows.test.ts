import fs from 'node:fs';
import { chmod, copyFile, link, mkdir, stat, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import { expect, test } from 'vitest';
import { resolvePermissions } from '../../src/deploy/seal/permissions.js';
import { sealTree } from '../../src/deploy/seal/seal.js';
import { temporaryFolder } from '../support/temp-folder.js';

function refused(call: string, file: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`EPERM: operation not permitted, ${call} '${file}'`), { code: 'EPERM' });
}

/** As Windows: what is marked read-only is not opened for writing, and what is not open for writing is not synced. */
function openAsOnWindows(): Disposable & { synced: string[] } {
  const original = fs.promises.open;
  const synced: string[] = [];
  fs.promises.open = async (file, flags, mode) => {
    const name = path.basename(String(file));
    if (flags === 'r+' && ((await stat(file)).mode & 0o200) === 0) throw refused('open', name);
    const handle = await original(file, flags, mode);
    const sync = handle.sync.bind(handle);
    handle.sync = () => {
      if (flags === 'r') return Promise.reject(refused('fsync', name));
      synced.push(name);
      return sync();
    };
    return handle;
  };
  syncBuiltinESMExports();
  return {
    synced,
    [Symbol.dispose]() {
      fs.promises.open = original;
      syncBuiltinESMExports();
    },
  };
}

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
