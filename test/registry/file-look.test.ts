import { rename, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { FileLook, markOf } from '../../src/registry/registry-file.js';
import { temporaryFolder } from '../support/temp-folder.js';

test('the mark of a file that is asked for again is that of the file there is now: replaced, written, touched, gone', async () => {
  const folder = await temporaryFolder();
  const file = path.join(folder, 'registry.json');
  const look = new FileLook(file);
  const marks = new Set<string>();
  const isNow = () => {
    const mark = look.mark();
    expect([mark, look.mark()]).toEqual([markOf(file), mark]);
    marks.add(mark);
  };
  isNow(); // none
  await writeFile(file, 'one');
  isNow();
  await writeFile(path.join(folder, 'other'), 'two');
  await rename(path.join(folder, 'other'), file);
  isNow();
  await writeFile(file, 'longer');
  isNow();
  await utimes(file, 1_000, 1_000);
  isNow();
  await rm(file);
  isNow(); // none again
  expect(marks.size).toBe(5);
});
