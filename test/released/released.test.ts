import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { builtFolder, RELEASED, storeFile } from '../../scripts/released/build.js';
import { make, use } from '../../scripts/released/station.js';
import * as library from '../../src/index.js';
import * as kit from '../../src/testing/index.js';
import { temporaryFolder } from '../support/temp-folder.js';

const { Deployer, Registry } = library;
const station = path.resolve(import.meta.dirname, '../../scripts/released/station.ts');

/** What every library finds in such a store and makes of it. */
const USED = {
  skipped: [],
  versions: ['any 1.0.0 deployed', 'board 1.0.0 deployed', 'board 2.0.0 deployed'],
  active: { A01: 'OK of 2.0.0 with 7', B01: 'NG of 1.0.0 with 7' },
  switched: 'OK of 2.0.0 with 7',
  rolledBack: 'NG of 1.0.0 with 7',
  executeOnly: 'OK',
};
const INTACT = { intact: [true, true, true] };

const isPython = (command: string, version: string) => {
  try {
    const script = 'import sys; print("%d.%d" % sys.version_info[:2])';
    return execFileSync(command, ['-c', script], { encoding: 'utf8' }).trim() === version;
  } catch {
    return false;
  }
};

/** The committed store, in a place of its own: it was moved. */
async function storeOf(version: string): Promise<string> {
  const folder = await temporaryFolder();
  execFileSync('tar', ['-xzf', storeFile(version), '-C', folder]);
  return path.join(folder, 'store');
}

/** Lets the environments of a store start in another Python of the same minor version than that they were made from. */
async function standIn(root: string, python: string): Promise<void> {
  const executable = execFileSync(python, ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' });
  for (const version of ['board/1.0.0', 'board/2.0.0', 'any/1.0.0']) {
    const venv = path.join(root, 'algorithms/deployed', version, 'venv');
    const link = path.join(venv, 'bin/python3');
    await rm(link);
    await symlink(executable.trim(), link);
    const file = path.join(venv, 'pyvenv.cfg');
    const text = await readFile(file, 'utf8');
    await rm(file);
    await writeFile(file, text.replace(/^home = .*$/m, `home = ${path.dirname(executable.trim())}`));
  }
}

// The stores were made on Linux.
describe.skipIf(process.platform !== 'linux').each(RELEASED)(
  'a store made by $version',
  ({ version, python }) => {
    const isOwn = isPython(python.path, python.version);
    const other = ['python3', `python${python.version}`].find((command) => isPython(command, python.version));

    test.skipIf(!isOwn && other === undefined)(
      `opens, runs what was active, switches, rolls back and verifies (needs a Python ${python.version})`,
      async () => {
        const root = await storeOf(version);
        if (!isOwn && other !== undefined) await standIn(root, other);
        const used = await use(library, root);
        expect({ ...used, versions: used.versions.sort() }).toMatchObject(
          isOwn ? { ...USED, ...INTACT } : USED,
        );
      },
    );

    test('takes its versions anew from its own zips, with whichever Python there is', async () => {
      const root = await storeOf(version);
      await using registry = await Registry.open(root);
      const deployer = new Deployer({ registry });
      try {
        const { zips } = registry.layout;
        const entry = await deployer.install(path.join(zips, 'board-v2.0.0-offline.zip'), { force: true });
        expect(await deployer.verify(entry.name, entry.version)).toMatchObject({ intact: true });
        expect(await registry.list()).toHaveLength(3);
      } finally {
        await deployer.close();
      }
    });

    const isBuilt = existsSync(path.join(builtFolder(version), 'dist/index.js'));
    const why = `needs npm run released -- build ${version}`;

    test.skipIf(!isBuilt)(
      `one made today opens and serves under ${version}, and comes back (${why})`,
      async () => {
        const root = path.join(await temporaryFolder(), 'store');
        await make(library, kit, root, 'python3');
        const older = execFileSync(
          process.execPath,
          ['--import', 'tsx', station, 'use', path.join(builtFolder(version), 'dist'), root],
          { encoding: 'utf8' },
        );
        const used = JSON.parse(older) as Partial<typeof USED>;
        expect({ ...used, versions: used.versions?.sort() }).toMatchObject({
          ...USED,
          ...INTACT,
        });
        await using registry = await Registry.open(root);
        expect(await registry.active()).toMatchObject({
          A01: { name: 'board', version: '1.0.0' },
          B01: { name: 'board', version: '2.0.0' },
        });
      },
    );
  },
);
