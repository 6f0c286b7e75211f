import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { RecordingFolder } from '../../src/recording/recording-folder.js';
import { watchFileSteps } from '../../src/testing/file-steps/watch-file-steps.js';
import { temporaryFolder } from '../support/temp-folder.js';

test('a call that a viewer keeps from being removed stays, the next one goes for the room, and it goes later', async () => {
  const folder = await RecordingFolder.open(path.join(await temporaryFolder(), 'r'), 1_000, {});
  const add = async () => {
    const number = folder.take();
    await folder.reserve(300);
    await folder.addCall(number, '{}', 300);
  };
  const numbers = async () =>
    (await readdir(path.join(folder.path, 'calls'))).map((name) => Number.parseInt(name, 10)).sort();
  for (let n = 0; n < 3; n++) await add();
  {
    using _ = watchFileSteps(folder.path, {
      mode: 'fail',
      at: { call: 'rm', target: '.json' },
      code: 'EBUSY',
    });
    await add();
  }
  expect(await numbers()).toEqual([1, 3, 4]);
  await add();
  expect(await numbers()).toEqual([3, 4, 5]);
  {
    using _ = watchFileSteps(folder.path, { mode: 'fail', at: 1, code: 'EBUSY', times: Infinity });
    await expect(add()).rejects.toMatchObject({ code: 'EBUSY' });
  }
  await folder.close();
});
