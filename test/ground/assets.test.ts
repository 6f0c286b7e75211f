import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { assetPath } from '../../src/assets.js';
import { VenvManager } from '../../src/index.js';
import { temporaryFolder } from '../support/temp-folder.js';

const sources = fileURLToPath(new URL('../../src/', import.meta.url));

afterEach(() => {
  delete process.env.PROCVISION_ASSETS;
});

test('a file is found beside the modules, and in the folder that the variable names', () => {
  expect(assetPath('validation/probe.py')).toBe(path.join(sources, 'validation/probe.py'));
  process.env.PROCVISION_ASSETS = path.join(sources, '..', 'src');
  expect(assetPath('validation/probe.py')).toBe(path.join(sources, 'validation/probe.py'));
});

test('a folder without the files is named with what to do, and no interpreter is blamed', async () => {
  process.env.PROCVISION_ASSETS = await temporaryFolder();
  await expect(new VenvManager({ python: 'python3' }).interpreters()).rejects.toMatchObject({
    code: 'start_failed',
    message: expect.stringContaining('PROCVISION_ASSETS') as string,
    details: { path: process.env.PROCVISION_ASSETS },
  });
});
