import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { packProject, PackageValidator, type PackOptions } from '../../src/index.js';
import { openArchive } from '../../src/package/archive.js';
import { buildWheel, wheelFileName } from '../../src/testing/index.js';
import { canLink, IS_WINDOWS } from '../support/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';

async function write(root: string, files: Record<string, string | Uint8Array>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(root, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
  }
}

const MANIFEST = JSON.stringify({
  name: 'board-check',
  version: '1.0.0',
  entry_point: 'algorithm.main:Algorithm',
  supported_pids: ['A'],
});
const PROJECT = {
  'manifest.json': MANIFEST,
  'requirements.txt': 'helper\n',
  'algorithm/__init__.py': '',
  'algorithm/main.py': 'class Algorithm:\n    pass\n'.repeat(50),
  'assets/schön.txt': 'grün',
};

async function pack(folder: string, o?: PackOptions) {
  const zip = path.join(await temporaryFolder(), 'packed.zip');
  await pipeline(packProject(folder, o), createWriteStream(zip));
  await using archive = await openArchive(zip);
  const names = archive.entries.map(({ name, isDirectory }) => (isDirectory ? `${name}/` : name));
  return { zip, names: names.map((name) => name.replace('//', '/')), entries: [...archive.entries] };
}

const source = { name: 'helper', version: '1.0', files: { 'helper.py': 'x = 1\n' } };

test('a project becomes a package that inspection takes, and that other readers read alike', async () => {
  const root = await temporaryFolder();
  await write(root, PROJECT);
  await write(root, { [`wheels/${wheelFileName(source)}`]: await buildWheel(source) });
  const { zip, names } = await pack(root);
  expect(names).toEqual([
    'board-check/algorithm/__init__.py',
    'board-check/algorithm/main.py',
    'board-check/assets/schön.txt',
    'board-check/manifest.json',
    'board-check/requirements.txt',
    'wheels/',
    'wheels/helper-1.0-py3-none-any.whl',
  ]);
  const inspection = await new PackageValidator().inspect(zip);
  expect(inspection).toMatchObject({ name: 'board-check', version: '1.0.0', wheels: [{ name: 'helper' }] });
  const { stdout } = await promisify(execFile)('python3', [
    ...['-c', 'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(z.testzip(), len(z.namelist()))'],
    zip,
  ]);
  expect(stdout.trim()).toBe('None 7');
});

test('wheels of another folder come in place of those of the project', async () => {
  const root = await temporaryFolder();
  const wheels = await temporaryFolder();
  await write(root, { ...PROJECT, 'wheels/old-1.0-py3-none-any.whl': 'old' });
  await write(wheels, { [wheelFileName(source)]: await buildWheel(source), 'notes.txt': 'no wheel' });
  const { names } = await pack(root, { wheels });
  expect(names.filter((name) => name.startsWith('wheels/'))).toEqual([
    'wheels/',
    'wheels/helper-1.0-py3-none-any.whl',
  ]);
});

test('environments, byte code, hidden files and packages made before are left out; links lead to files and never into folders', async () => {
  const root = await temporaryFolder();
  await write(root, {
    ...PROJECT,
    '.git/config': 'secret',
    '.env': 'secret',
    '.procvision_env.json': '{}',
    'venv/pyvenv.cfg': '',
    'board-check-v0.9.0-offline.zip': 'PK',
    'dist/board-check-v1.0.0-offline.zip': 'PK',
    'algorithm/__pycache__/main.cpython-311.pyc': 'x',
    'algorithm/old.pyc': 'x',
    'tool.sh': '#!/bin/sh\n',
  });
  await chmod(path.join(root, 'tool.sh'), 0o755);
  const hasLinks = canLink();
  if (hasLinks) {
    await symlink(path.join(root, 'assets'), path.join(root, 'circle'));
    await symlink(path.join(root, 'manifest.json'), path.join(root, 'linked.json'));
  }
  const { names, entries } = await pack(root);
  const inside = names.filter((name) => name.startsWith('board-check/')).map((name) => name.slice(12));
  expect(inside).toEqual([
    '.procvision_env.json',
    'algorithm/__init__.py',
    'algorithm/main.py',
    'assets/schön.txt',
    ...(hasLinks ? ['linked.json'] : []),
    'manifest.json',
    'requirements.txt',
    'tool.sh',
  ]);
  const modes = new Map(entries.map(({ name, mode = 0 }) => [name, mode & 0o777]));
  expect(modes.get('board-check/tool.sh')).toBe(IS_WINDOWS ? 0o644 : 0o755);
  expect(modes.get('board-check/manifest.json')).toBe(0o644);
});

test('a package as it was unpacked keeps its places', async () => {
  const root = await temporaryFolder();
  for (const [name, text] of Object.entries(PROJECT)) await write(root, { [`board-check/${name}`]: text });
  await write(root, { 'wheels/helper-1.0-py3-none-any.whl': await buildWheel(source) });
  const { names } = await pack(root);
  expect(names).toContain('board-check/manifest.json');
  expect(names).toContain('wheels/helper-1.0-py3-none-any.whl');
});

test('equal folders give equal bytes, and a file past 16 MiB is stored as it is', async () => {
  const root = await temporaryFolder();
  const large = Buffer.alloc(17 * 2 ** 20, 'model ');
  await write(root, { ...PROJECT, 'assets/model.bin': large });
  const read = async () => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of packProject(root)) chunks.push(chunk);
    return Buffer.concat(chunks);
  };
  expect((await read()).equals(await read())).toBe(true);
  const { entries } = await pack(root);
  const model = entries.find(({ name }) => name.endsWith('model.bin'));
  expect(model).toMatchObject({ method: 0, sizeBytes: large.length, compressedBytes: large.length });
  expect(entries.find(({ name }) => name.endsWith('main.py'))?.method).toBe(8);
});

test('a large file that changes while it is packed fails it by its name', async () => {
  const root = await temporaryFolder();
  const file = path.join(root, 'assets/model.bin');
  await write(root, { ...PROJECT, 'assets/model.bin': Buffer.alloc(17 * 2 ** 20, 1) });
  const packing = async () => {
    let isChanged = false;
    for await (const chunk of packProject(root)) {
      if (isChanged || !Buffer.from(chunk).includes('model.bin')) continue;
      isChanged = true;
      await writeFile(file, Buffer.alloc(17 * 2 ** 20, 2));
    }
  };
  await expect(packing()).rejects.toMatchObject({ code: 'invalid_zip', details: { path: file } });
});

test.each([
  ['a folder without a manifest', {}, 'has no manifest.json'],
  ['two projects side by side', { 'a/manifest.json': '{}', 'b/manifest.json': '{}' }, 'no single folder'],
])('%s is manifest_missing', async (_title, files, message) => {
  const root = await temporaryFolder();
  await write(root, files);
  await expect(packProject(root).next()).rejects.toMatchObject({
    code: 'manifest_missing',
    message: expect.stringContaining(message) as string,
  });
});

test('a folder that is not there, and arguments that cannot be, are refused', async () => {
  await expect(packProject('no such folder').next()).rejects.toMatchObject({ code: 'manifest_missing' });
  expect(() => packProject(7 as never)).toThrow(expect.objectContaining({ code: 'invalid_params' }));
  expect(() => packProject('x', { compres: true } as never)).toThrow('Did you mean compress?');
});
