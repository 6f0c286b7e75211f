import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { openArchive } from '../../src/package/archive.js';
import { checkPlaces, isByteCode } from '../../src/package/wheel-places.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import { buildPackage, buildWheel, wheelFileName, type WheelSource } from '../../src/testing/index.js';
import { PackageValidator } from '../../src/validation/package-validator.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { wheelFolder } from '../support/wheels.js';

async function check(more: Partial<WheelSource>): Promise<void> {
  const source = { name: 'optics', version: '1.0', ...more };
  const file = path.join(await temporaryFolder(), wheelFileName(source));
  await writeFile(file, await buildWheel(source));
  await using archive = await openArchive(file);
  await checkPlaces(archive, source.name);
}

describe('a wheel is refused for', () => {
  const script = (name: string) => ({ data: { [`scripts/${name}`]: '#!/bin/sh\n' } });
  const data = (name: string) => ({ data: { [`data/${name}`]: 'x' } });
  test.each<[string, Partial<WheelSource>]>([
    ...['python', 'Python', 'python3', 'python3.11', 'PYTHON3.13T', 'pythonw', 'pypy3', '𝜋thon'].map(
      (name): [string, Partial<WheelSource>] => [`the script ${name}`, script(name)],
    ),
    ...['python.exe', 'pythonw.EXE', 'python3.bat', 'python.cmd', 'python-script.py', 'python.com'].map(
      (name): [string, Partial<WheelSource>] => [`the script ${name}`, script(name)],
    ),
    ...['activate', 'activate.fish', 'Activate.ps1', 'activate_this.x'.replace('_this.x', '.csh')].map(
      (name): [string, Partial<WheelSource>] => [`the script ${name}`, script(name)],
    ),
    ...['pip', 'pip3', 'pip3.12', 'PIP.exe', 'pyvenv.cfg', 'pybuilddir.txt', 'python311._pth'].map(
      (name): [string, Partial<WheelSource>] => [`the script ${name}`, script(name)],
    ),
    ...['bin/python', 'Scripts/python.exe', 'BIN/activate', 'pyvenv.cfg', 'PyVenv.CFG', 'bin', 'lib64'].map(
      (name): [string, Partial<WheelSource>] => [`the data file ${name}`, data(name)],
    ),
    ...['lib/python3.11/site-packages/sitecustomize.py', 'Lib/site-packages/usercustomize.py'].map(
      (name): [string, Partial<WheelSource>] => [`the data file ${name}`, data(name)],
    ),
    ...['sitecustomize.py', 'SiteCustomize.PY', 'usercustomize.py', 'sitecustomize/__init__.py'].map(
      (name): [string, Partial<WheelSource>] => [`the file ${name}`, { files: { [name]: '' } }],
    ),
    ['sitecustomize.so of .data/platlib', { data: { 'platlib/sitecustomize.so': '' } }],
    ['usercustomize.pyd of .data/purelib', { data: { 'purelib/usercustomize.pyd': '' } }],
    ['the command python', { scripts: { python: 'optics:main' } }],
    ['the command Pip3', { scripts: { Pip3: 'optics:main' } }],
    ['the command python behind a bracket', { scripts: { '[python': 'optics:main [x] # of distlib' } }],
    ['a command in another folder', { scripts: { '../bin/tool': 'optics:main' } }],
    [
      'the graphical command pythonw',
      { distInfo: { 'entry_points.txt': '[gui_scripts]\npythonw = optics:main\n' } },
    ],
  ])('%s', async (_, source) => {
    await expect(check(source)).rejects.toMatchObject({
      code: 'invalid_zip',
      message: expect.stringMatching(
        /optics-1\.0-py3-none-any\.whl: entry ".+" .+\. Ask the maker/,
      ) as string,
    });
  });
});

test.each<[string, Partial<WheelSource>]>([
  ['scripts that only begin alike', { data: { 'scripts/python-config-tool': '', 'scripts/pipx': '' } }],
  ['a module that begins alike', { files: { 'sitecustomize_tools.py': '' } }],
  ['a sitecustomize within a package', { files: { 'optics/sitecustomize.py': '' } }],
  ['data of its own', { data: { 'data/share/optics/python': '', 'data/etc/pyvenv.cfg': '' } }],
  ['pip as pip', { name: 'pip', scripts: { pip: 'pip:main', 'pip3.11': 'pip:main' } }],
])('a wheel with %s is taken', async (_, source) => {
  await check(source);
});

describe('before anything is written', () => {
  const bad = { name: 'optics', version: '1.0', data: { 'data/bin/python': '#!/bin/sh\n' } };

  test('the inspection of a package refuses it, stored and deflated', async () => {
    for (const stored of [true, false]) {
      const wheel = { file: wheelFileName(bad), bytes: await buildWheel({ ...bad, stored }) };
      const zip = path.join(await temporaryFolder(), 'p.zip');
      await writeFile(zip, await buildPackage({ wheels: [wheel] }));
      await expect(new PackageValidator().inspect(zip)).rejects.toMatchObject({
        code: 'invalid_zip',
        message: expect.stringContaining('optics-1.0.data/data/bin/python') as string,
      });
    }
  });

  test.each(['pip', 'link'] as const)('installer %s refuses it', async (installer) => {
    const folder = await wheelFolder([bad], 'optics\n');
    const venvs = new VenvManager({ installer, wheelStore: path.join(folder.root, 'store') });
    const interpreter = await venvs.select({});
    const venv = await venvs.create(path.join(folder.root, 'venv'), { interpreter });
    await expect(venvs.install(venv, folder)).rejects.toMatchObject({ code: 'invalid_zip' });
    await venvs.verify(venv);
  });
});

test('a package’s own byte code is left out, and the report says which modules have no source', async () => {
  const zip = path.join(await temporaryFolder(), 'p.zip');
  const files = {
    'algorithm/__pycache__/main.cpython-311.pyc': 'byte code',
    'algorithm/secret.pyc': 'byte code',
  };
  await writeFile(zip, await buildPackage({ files }));
  const opened = await new PackageValidator().open(zip);
  await using archive = opened.archive;
  const placed = archive.entries.map((entry) => opened.layout.place(entry) ?? '');
  expect(placed.filter(isByteCode)).toEqual([]);
  const warned = opened.warnings.filter((warning) => warning.includes('Byte code'));
  expect(warned).toEqual([expect.stringContaining('secret.pyc') as string]);
  expect(warned[0]).not.toContain('__pycache__');
});
