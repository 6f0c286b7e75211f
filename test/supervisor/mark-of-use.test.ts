import { expect, test } from 'vitest';
import { FakeWorker, TemporaryStore } from '../../src/testing/index.js';
import { watchFileSteps } from '../../src/testing/file-steps/watch-file-steps.js';

test.each([
  ['for a moment is removed all the same', 1, 0, []],
  // What is left of the mark says nothing: the sign of life beside it has ended.
  ['at all is told by an event, and the version stops', Infinity, 0, ['store_failed']],
])('a mark of use that cannot be removed %s', async (_, times, left, codes) => {
  await using store = await TemporaryStore.open({ pollMs: 60_000 });
  await store.deploy({ productIds: ['A01'], worker: new FakeWorker() });
  const supervisor = store.supervise();
  const errors: string[] = [];
  supervisor.on('error', ({ error }) => errors.push(error.code));
  await supervisor.start('sample', '1.0.0');
  expect(await store.registry.users('sample', '1.0.0')).toHaveLength(1);
  {
    const at = { call: 'rm', target: '.json' };
    using _steps = watchFileSteps(store.root, { mode: 'fail', at, code: 'EIO', times });
    await supervisor.stop('sample', '1.0.0');
  }
  expect(errors).toEqual(codes);
  expect(supervisor.status()).toEqual([]);
  expect(await store.registry.users('sample', '1.0.0')).toHaveLength(left);
});
