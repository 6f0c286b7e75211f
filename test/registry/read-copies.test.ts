import { stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { removeCopy } from '../../src/registry/published.js';
import { watchFileSteps } from '../../src/testing/file-steps/watch-file-steps.js';
import { temporaryFolder } from '../support/temp-folder.js';

test('a copy in active/ that a program reads on Windows goes when the program has read it', async () => {
  const folder = await temporaryFolder();
  const file = path.join(folder, 'A01.json');
  await writeFile(file, '{}');
  using _ = watchFileSteps(folder, { mode: 'fail', at: 1, code: 'EBUSY', times: 3 });
  await removeCopy(file, 'win32');
  await expect(stat(file)).rejects.toMatchObject({ code: 'ENOENT' });
  await removeCopy(file, 'win32'); // absent is fine
});
