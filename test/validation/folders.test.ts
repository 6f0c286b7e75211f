import { spawnSync } from 'node:child_process';
import { mkdir, readdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { openArchive } from '../../src/package/archive.js';
import { PackageValidator } from '../../src/validation/package-validator.js';
import { formatReport } from '../../src/validation/report.js';
import { packageFile } from '../support/package-file.js';

const validator = new PackageValidator();
const look = new PackageValidator({ smoke: false });

async function unpacked(layout: 'beside' | 'flat' | 'inside' = 'flat'): Promise<string> {
  const file = await packageFile({ layout });
  await using archive = await openArchive(file);
  const folder = path.join(path.dirname(file), 'unpacked');
  await archive.extract(folder);
  return folder;
}

describe('an unpacked package is validated where it lies', () => {
  test.each(['beside', 'flat', 'inside'] as const)('laid out %s', async (layout) => {
    const folder = await unpacked(layout);
    const before = await readdir(folder, { recursive: true });
    expect(formatReport(await validator.validate(folder))).toMatch(/^sample 1\.0\.0: PASS/);
    expect(await readdir(folder, { recursive: true })).toEqual(before);
  });
});

const posix = process.platform !== 'win32';

describe.skipIf(!posix)('odd files in a folder', () => {
  test('a pipe in place of the manifest is no manifest, and nobody waits for it', async () => {
    const folder = await unpacked();
    await rm(path.join(folder, 'manifest.json'));
    spawnSync('mkfifo', [path.join(folder, 'manifest.json')]);
    const report = await look.validate(folder);
    expect(report.error).toMatchObject({ code: 'manifest_missing' });
  });

  test('links that turn in a circle or lead nowhere are stepped over', async () => {
    const folder = await unpacked();
    await mkdir(path.join(folder, 'assets'), { recursive: true });
    await symlink('..', path.join(folder, 'assets', 'up'));
    await symlink('nowhere', path.join(folder, 'assets', 'gone'));
    expect((await look.validate(folder)).summary.status).toBe('PASS');
  });
});

test('a manifest of a terabyte is not read', async () => {
  const folder = await unpacked();
  await truncate(path.join(folder, 'manifest.json'), 2 ** 40);
  const report = await look.validate(folder);
  expect(report.checks.find(({ name }) => name === 'manifest_load')).toMatchObject({
    result: 'FAIL',
    message: expect.stringContaining('no more than 4194304 are read') as string,
  });
});

test('a folder with nothing in it and a path with nothing at it fail with what is missing', async () => {
  const folder = path.join(path.dirname(await packageFile()), 'empty');
  expect((await look.validate(folder)).error?.code).toBe('not_found');
  await mkdir(folder);
  expect((await look.validate(folder)).error?.code).toBe('manifest_missing');
});

test('an abort while a folder is read rejects with an AbortError', async () => {
  const folder = await unpacked();
  for (let n = 0; n < 50; n++) await mkdir(path.join(folder, `folder${n}`));
  await writeFile(path.join(folder, 'folder0', 'a'), '');
  const controller = new AbortController();
  const validation = look.validate(folder, { signal: controller.signal });
  controller.abort();
  await expect(validation).rejects.toMatchObject({ name: 'AbortError' });
});
