import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { moveByCopy } from '../../src/deploy/transaction/move-by-copy.js';
import { findBaseFault } from '../../src/python/environments/base-fault.js';
import { VERSION_MARKER } from '../../src/registry/registry-file.js';
import { deployStore } from '../support/deploy-store.js';
import { NO_MOUNTS, smallDisk } from '../support/mounts.js';
import { packageHost } from '../support/package-host.js';
import { plainSteps } from '../support/plain-steps.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** A deployed version whose environment was made from this program. */
async function deployedWith(python: string) {
  const store = await deployStore({
    steps: {
      ...plainSteps,
      environment: async (root, ...rest) => {
        const made = await plainSteps.environment(root, ...rest);
        await mkdir(path.join(made.venv.dir, 'bin'));
        await symlink(python, path.join(made.venv.dir, 'bin', 'python'));
        return made;
      },
    },
  });
  await store.deployer.install(await store.zip());
  return store;
}

describe.skipIf(process.platform === 'win32')('a base Python', () => {
  const program = async (version: string) => {
    const file = path.join(await temporaryFolder(), 'python3');
    await writeFile(file, `#!/bin/sh\necho ${version}\n`, { mode: 0o755 });
    return file;
  };

  test('that is removed is named by verify, and by recover with what to do', async () => {
    const python = await program('3.11');
    const { deployer } = await deployedWith(python);
    expect(await deployer.verify('sample', '1.0.0')).toMatchObject({ intact: true });
    await rm(python);
    expect((await deployer.verify('sample', '1.0.0')).drift).toEqual([{ path: python, kind: 'missing' }]);
    const { skipped } = await deployer.recover();
    expect(JSON.stringify(skipped)).toContain(`made from ${python}, which is not there any more`);
  });

  test('of another minor version than at the install is named by verify', async () => {
    const python = await program('3.12');
    const { deployer } = await deployedWith(python);
    expect((await deployer.verify('sample', '1.0.0')).drift).toEqual([{ path: python, kind: 'changed' }]);
  });

  test('is not looked for in an environment that has no interpreter', async () => {
    expect(await findBaseFault(await temporaryFolder(), { version: '3.11.0' })).toBeUndefined();
  });
});

test.skipIf(process.platform !== 'linux')(
  'an install does without the temp folder of the system',
  async () => {
    const { deployer, zip } = await packageHost();
    const file = await zip();
    const before = process.env.TMPDIR;
    onTestFinished(() => {
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
    });
    process.env.TMPDIR = path.join(path.dirname(file), 'absent');
    expect(await deployer.install(file)).toMatchObject({ state: 'deployed' });
  },
);

describe('moveByCopy', () => {
  test('moves files, links, modes and times, and a file alone', async () => {
    const folder = await temporaryFolder();
    const [from, to] = [path.join(folder, 'from'), path.join(folder, 'to')];
    await mkdir(path.join(from, 'sub'), { recursive: true });
    await writeFile(path.join(from, 'sub', 'tool'), 'x', { mode: 0o555 });
    await writeFile(path.join(from, VERSION_MARKER), '{}');
    if (process.platform !== 'win32') await symlink('sub/tool', path.join(from, 'link'));
    const { mtimeMs } = await stat(path.join(from, 'sub', 'tool'));
    await moveByCopy(from, to, 'full');
    expect(await readFile(path.join(to, VERSION_MARKER), 'utf8')).toBe('{}');
    const moved = await stat(path.join(to, 'sub', 'tool'));
    expect(Math.abs(moved.mtimeMs - mtimeMs)).toBeLessThan(2);
    if (process.platform !== 'win32') expect(moved.mode & 0o777).toBe(0o555);
    await expect(stat(from)).rejects.toMatchObject({ code: 'ENOENT' });
    await moveByCopy(path.join(to, 'sub', 'tool'), path.join(folder, 'tool'), 'full');
    expect(await readFile(path.join(folder, 'tool'), 'utf8')).toBe('x');
    expect((await readdir(folder)).sort()).toEqual(['to', 'tool']);
  });
});

test.skipIf(NO_MOUNTS)(
  'force replaces a version of a lower layer of overlayfs, and uninstall removes one',
  async () => {
    const lower = await deployStore();
    const zip = await lower.zip();
    await lower.deployer.install(zip);
    const { root } = lower.registry.layout;
    const { folder } = await smallDisk(32);
    for (const name of ['upper', 'work']) await mkdir(path.join(folder, name));
    const layers = `lowerdir=${root},upperdir=${path.join(folder, 'upper')},workdir=${path.join(folder, 'work')}`;
    // Without the characters that options of mount(8) give a meaning to.
    const here = path.join('/var/tmp', `pv-overlay-${process.pid}`);
    const store = path.join(here, 'store');
    await mkdir(store, { recursive: true });
    execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', layers, store], { stdio: 'pipe' });
    onTestFinished(async () => {
      execFileSync('umount', ['--lazy', store]);
      await rm(here, { recursive: true });
    });
    const above = await deployStore({}, here);
    expect(await above.deployer.install(zip, { force: true })).toMatchObject({ state: 'deployed' });
    expect(await above.deployer.verify('sample', '1.0.0')).toMatchObject({ intact: true });
    await above.deployer.uninstall('sample', '1.0.0');
    await expect(stat(above.registry.layout.deployed('sample', '1.0.0'))).rejects.toMatchObject({
      code: 'ENOENT',
    });
  },
);
