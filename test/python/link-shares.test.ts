import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { WheelSource } from '../../src/testing/index.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import { environmentTree } from '../support/environment-report.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { wheelFolder } from '../support/wheels.js';

/** So many files are linked by several processes where there are several cores. */
const FILES = 450;

function wheelOf(name: string, more: WheelSource['files'] = {}): WheelSource {
  const files = Array.from({ length: FILES }, (_, at) => [`${name}/part${at}.py`, `PART = ${at}\n`] as const);
  return { name, version: '1.0', files: { ...Object.fromEntries(files), ...more } };
}

async function station() {
  const wheelStore = path.join(await temporaryFolder(), 'store');
  const manager = new VenvManager({ installer: 'link', wheelStore });
  const interpreter = await manager.select({});
  return {
    manager,
    fresh: async () => manager.create(path.join(await temporaryFolder(), 'venv'), { interpreter }),
  };
}

test.each([
  ['two wheels with nothing in common', [wheelOf('left'), wheelOf('right')], []],
  [
    'three wheels, two of which have one folder and one file of it, the later one its owner',
    [
      wheelOf('left', { 'lens/kind.py': 'KIND = "left"\n', 'lens/left.py': '' }),
      wheelOf('right', { 'lens/kind.py': 'KIND = "right"\n', 'lens/right.py': '' }),
      wheelOf('third'),
    ],
    [expect.stringMatching(/lens\/kind\.py is in left-.*whl and in right-.*whl/)],
  ],
])('%s, of 450 files each: the environment is that of pip', async (_title, wheels, warnings) => {
  const source = await wheelFolder(wheels, wheels.map(({ name }) => `${name}\n`).join(''));
  const { manager, fresh } = await station();
  const linked = await fresh();
  const report = await manager.install(linked, source);
  const byPip = await fresh();
  await new VenvManager({ installer: 'pip' }).install(byPip, source);
  expect(report.warnings).toEqual(warnings);
  expect(await environmentTree(linked)).toEqual(await environmentTree(byPip));
  await manager.verify(linked);
});

test('a file that was changed in the store is built again before anything of 900 files is linked', async () => {
  const source = await wheelFolder([wheelOf('left'), wheelOf('right')], 'left\nright\n');
  const { manager, fresh } = await station();
  const first = await fresh();
  await manager.install(first, source);
  const file = path.join(first.sitePackages, 'right/part7.py');
  if ((await stat(file)).nlink === 1) return; // a file system that clones: nothing is shared
  await chmod(file, 0o644);
  await writeFile(file, 'PART = 0\n');
  const second = await fresh();
  await manager.install(second, source);
  expect(await readFile(path.join(second.sitePackages, 'right/part7.py'), 'utf8')).toBe('PART = 7\n');
  await manager.verify(second);
});

test('a wheel with a folder of no scheme is refused by its name, also beside another of 450 files', async () => {
  const source = await wheelFolder(
    [wheelOf('left'), { ...wheelOf('right'), data: { 'elsewhere/file.txt': 'text' } }],
    'left\nright\n',
  );
  const { manager, fresh } = await station();
  await expect(manager.install(await fresh(), source)).rejects.toMatchObject({
    code: 'install_failed',
    message: expect.stringMatching(/^right-1\.0-.*elsewhere/) as string,
  });
});

test('a place that something else has is told, with its path, by the process that came to it', async () => {
  const source = await wheelFolder([wheelOf('left'), wheelOf('right')], 'left\nright\n');
  const { manager, fresh } = await station();
  const venv = await fresh();
  await writeFile(path.join(venv.sitePackages, 'right'), 'a file where the folder goes');
  await expect(manager.install(venv, source)).rejects.toMatchObject({
    code: expect.stringMatching(/^(?:store_failed|install_failed)$/) as string,
    message: expect.stringContaining('right') as string,
  });
});

test('a progress that rises to its end is told of files that several processes link', async () => {
  const source = await wheelFolder([wheelOf('left'), wheelOf('right')], 'left\nright\n');
  const { manager, fresh } = await station();
  const told: number[] = [];
  manager.on('progress', ({ stage, fraction }) => {
    if (stage === 'install') told.push(fraction);
  });
  await manager.install(await fresh(), source);
  expect(told.length).toBeGreaterThan(1);
  expect(told).toEqual([...told].sort((one, other) => one - other));
});
