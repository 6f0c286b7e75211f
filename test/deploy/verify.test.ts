import { execFileSync } from 'node:child_process';
import { chmod, lstat, mkdir, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { findDrift } from '../../src/deploy/seal/drift.js';
import { writeSeal } from '../../src/deploy/seal/seal.js';
import { readInventory } from '../../src/registry/inventory.js';
import { deployStore } from '../support/deploy-store.js';
import { plainSteps } from '../support/plain-steps.js';
import { temporaryFolder } from '../support/temp-folder.js';

async function deployed(permissions = {}) {
  const store = await deployStore({ permissions });
  await store.deployer.install(
    await store.zip({
      files: {
        ...{ 'algorithm/__init__.py': '', 'algorithm/main.py': 'x = 1\n', 'assets/a.bin': 'aaaa' },
        ...{ __proto__: 'a file like any other' },
      },
      extra: [{ name: 'sample/tool.sh', data: '#!/bin/sh\n', mode: 0o755 }],
    }),
  );
  const root = store.registry.layout.deployed('sample', '1.0.0');
  return { ...store, root, verify: () => store.deployer.verify('sample', '1.0.0') };
}

async function overwrite(file: string, text: string): Promise<void> {
  await chmod(file, 0o644);
  await writeFile(file, text);
}

describe('verify', () => {
  test('of a version as it was sealed is intact and counts its files', async () => {
    const { verify } = await deployed();
    const report = await verify();
    expect(report).toMatchObject({ name: 'sample', version: '1.0.0', intact: true, drift: [] });
    expect(report.files).toBeGreaterThanOrEqual(7);
  });

  test('names each file that was changed, added or removed', async () => {
    const { root, verify } = await deployed();
    await overwrite(path.join(root, 'algorithm/main.py'), 'x = 2\n');
    await rm(path.join(root, 'assets/a.bin'));
    await writeFile(path.join(root, 'assets/b.bin'), 'new');
    await overwrite(path.join(root, 'venv/pyvenv.cfg'), 'home = /elsewhere\n');
    expect(await verify()).toMatchObject({
      intact: false,
      drift: [
        { path: 'algorithm/main.py', kind: 'changed' },
        { path: 'assets/a.bin', kind: 'missing' },
        { path: 'assets/b.bin', kind: 'added' },
        { path: 'venv/pyvenv.cfg', kind: 'changed' },
      ],
    });
  });

  test('names compiled code that stands in place of its source when it was changed', async () => {
    const store = await deployStore();
    const files = { 'algorithm/__init__.py': '', 'algorithm/main.pyc': 'compiled by its maker' };
    await store.deployer.install(await store.zip({ files }));
    await overwrite(
      path.join(store.registry.layout.deployed('sample', '1.0.0'), 'algorithm/main.pyc'),
      'by another',
    );
    expect((await store.deployer.verify('sample', '1.0.0')).drift).toEqual([
      { path: 'algorithm/main.pyc', kind: 'changed' },
    ]);
  });

  test('names the list itself when it was changed or removed', async () => {
    const { root, verify } = await deployed();
    const list = path.join(root, '.procvision-files.json');
    await overwrite(list, '{"format":1,"files":{},"links":{}}');
    expect((await verify()).drift).toEqual([{ path: '.procvision-files.json', kind: 'changed' }]);
    await rm(list);
    expect((await verify()).drift).toEqual([{ path: '.procvision-files.json', kind: 'missing' }]);
  });

  test.skipIf(process.platform === 'win32')(
    'of a version that was sealed without byte code takes what Python wrote, and names what is forged or of no source',
    async () => {
      const { root, registry } = await deployed();
      const entry = await registry.get('sample', '1.0.0');
      const inventory = entry && (await readInventory(root, entry));
      if (!inventory) throw new Error('no inventory');
      const sealed = await writeSeal(root, entry, { ...inventory, format: 1 }, 'none');
      const verify = () => findDrift(root, sealed);
      const python = path.join(registry.layout.venv('sample', '1.0.0'), 'bin', 'python');
      await mkdir(path.dirname(python));
      await writeFile(python, `#!/bin/sh\nexec python3 "$@"\n`, { mode: 0o755 });
      const cache = path.join(root, 'algorithm', '__pycache__');
      const main = path.join(root, 'algorithm', 'main.py');
      const compileTo = (source: string, name: string) =>
        execFileSync('python3', [
          '-c',
          'import importlib.util as u, os, py_compile, sys; s, o = sys.argv[1:3]; ' +
            'os.makedirs(o, exist_ok=True); ' +
            'py_compile.compile(s, os.path.join(o, sys.argv[3] + "." + sys.implementation.cache_tag + ".pyc"))',
          ...[source, cache, name],
        ]);
      compileTo(main, 'main');
      // The interpreter was put there by this test, and it alone.
      expect((await verify()).drift.map(({ path: file }) => file)).toEqual(['venv/bin/python']);
      const other = path.join(await temporaryFolder(), 'other.py');
      await writeFile(other, 'KIND = "not the sealed code"\n');
      compileTo(other, 'main');
      compileTo(other, 'nowhere');
      await writeFile(path.join(cache, 'note.txt'), '');
      const found = (await verify()).drift.map(({ path: file }) => path.basename(file).split('.')[0]);
      expect(found.sort()).toEqual(['main', 'note', 'nowhere', 'python']);
    },
  );

  test.skipIf(process.platform === 'win32')(
    'names a pipe in the place of an empty file, and does not wait for it',
    async () => {
      const { root, verify } = await deployed();
      const file = path.join(root, 'algorithm', '__init__.py');
      await rm(file);
      execFileSync('mkfifo', [file]);
      expect((await verify()).drift).toEqual([{ path: 'algorithm/__init__.py', kind: 'changed' }]);
    },
  );

  test('of a version whose folder is gone names the list as missing', async () => {
    const { root, verify } = await deployed();
    await rm(root, { recursive: true });
    expect((await verify()).intact).toBe(false);
  });

  test('of a version that is not installed rejects with not_found', async () => {
    const { deployer } = await deployStore();
    await expect(deployer.verify('sample', '1.0.0')).rejects.toMatchObject({ code: 'not_found' });
  });

  test.skipIf(process.platform === 'win32')('names a link that points elsewhere', async () => {
    const store = await deployStore({
      steps: {
        ...plainSteps,
        environment: async (root, ...rest) => {
          const made = await plainSteps.environment(root, ...rest);
          await symlink('/usr/bin/python3', path.join(made.venv.dir, 'python'));
          return made;
        },
      },
    });
    await store.deployer.install(await store.zip());
    const link = path.join(store.registry.layout.venv('sample', '1.0.0'), 'python');
    await rm(link);
    await symlink('/tmp/evil', link);
    expect((await store.deployer.verify('sample', '1.0.0')).drift).toEqual([
      { path: 'venv/python', kind: 'changed' },
    ]);
  });
});

describe.skipIf(process.platform === 'win32')('permissions', () => {
  const modeOf = async (file: string) => ((await stat(file)).mode & 0o777).toString(8);

  test('by default seal files read-only, keep executables executable and folders writable for Python', async () => {
    const { root } = await deployed();
    expect(await modeOf(path.join(root, 'manifest.json'))).toBe('444');
    expect(await modeOf(path.join(root, 'tool.sh'))).toBe('555');
    expect(await modeOf(path.join(root, 'algorithm'))).toBe('755');
  });

  test('with read-only folders let the version be removed', async () => {
    const { root, deployer, registry } = await deployed({ fileMode: 0o440, folderMode: 0o550 });
    expect(await modeOf(path.join(root, 'tool.sh'))).toBe('550');
    expect(await modeOf(path.join(root, 'algorithm'))).toBe('550');
    await deployer.uninstall('sample', '1.0.0');
    expect(await readdir(registry.layout.deployedRoot)).toEqual([]);
  });

  test('without seal leave the modes as they are', async () => {
    const { root } = await deployed({ seal: false });
    expect((await stat(path.join(root, 'manifest.json'))).mode & 0o200).toBe(0o200);
  });

  test.skipIf(process.getuid?.() !== 0)('give everything deployed to the owner asked for', async () => {
    const { root } = await deployed({ uid: 12345, gid: 54321 });
    for (const file of ['manifest.json', 'algorithm', 'algorithm/main.py', 'venv']) {
      expect(await lstat(path.join(root, file))).toMatchObject({ uid: 12345, gid: 54321 });
    }
  });
});
