import { readdir } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { RunnerError } from '../../src/errors.js';
import { ageOf } from '../../src/store/file-age.js';
import { acquireLock, lockHolder, withLock } from '../../src/store/lock.js';
import { asStoreError } from '../../src/store/store-error.js';
import { watchFileSteps } from '../../src/testing/file-steps/watch-file-steps.js';
import { leaveLock } from '../support/left-lock.js';
import { IS_WINDOWS } from '../support/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';

const lockPath = async () => path.join(await temporaryFolder(), 'x.lock');

/** As on a file system that has none: the record of an owner alone says who it is. */
function withoutSockets(): void {
  const original = net.createServer;
  net.createServer = () => {
    throw new Error('EOPNOTSUPP: no sockets here');
  };
  syncBuiltinESMExports();
  onTestFinished(() => {
    net.createServer = original;
    syncBuiltinESMExports();
  });
}

/** Removing the owner's file fails, and once more. */
const unremovable = (file: string) =>
  watchFileSteps(path.dirname(file), {
    // On Windows it is moved away before.
    at: IS_WINDOWS ? { call: 'rename', target: '' } : { call: 'unlink', target: '.owner' },
    ...{ mode: 'fail', code: 'ENOSPC', times: 2 },
  });

test('a lock whose file could not be removed is taken again at once by its own process, without any sign of life', async () => {
  withoutSockets();
  const file = await lockPath();
  const first = await acquireLock(file, { operation: 'first' });
  {
    using _full = unremovable(file);
    await expect(first.release()).rejects.toMatchObject({ code: 'ENOSPC' });
  }
  expect(await lockHolder(file)).toMatchObject({ token: first.owner.token });
  expect(await readdir(path.dirname(file))).toContain('x.lock.owner');
  await using lock = await acquireLock(file, { operation: 'second', timeoutMs: 0 });
  expect(await lockHolder(file)).toMatchObject({ token: lock.owner.token });
});

test('a lock file that stayed is removed as soon as the disk lets it, though nobody wants the lock', async () => {
  withoutSockets();
  const file = await lockPath();
  const lock = await acquireLock(file, { operation: 'a', refreshMs: 20 });
  {
    using _full = unremovable(file);
    await lock.release().catch(() => undefined);
  }
  await vi.waitFor(async () => {
    expect(await readdir(path.dirname(file))).toEqual([]);
  }, 20_000);
});

test('work that succeeded is not failed by a lock file that stays', async () => {
  const file = await lockPath();
  using _full = unremovable(file);
  expect(await withLock(file, { operation: 'a' }, () => Promise.resolve('done'))).toBe('done');
});

test('of a failure of the work and one of the release the first is told, and the other in its details', async () => {
  const failing = async (error: Error) => {
    const file = await lockPath();
    const full = unremovable(file);
    return withLock(file, { operation: 'a' }, () => Promise.reject(error))
      .catch((failure: unknown) => asStoreError(failure, 'change it'))
      .finally(() => {
        full[Symbol.dispose]();
      });
  };
  const alsoFailed = [expect.stringContaining('ENOSPC')];
  const ours = new RunnerError('not_found', 'there is none', { details: { name: 'x' } });
  expect(await failing(ours)).toMatchObject({ code: 'not_found', details: { name: 'x', alsoFailed } });
  const system = Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
  expect(await failing(system)).toMatchObject({
    ...{ code: 'store_failed', message: expect.stringContaining('EIO') as string, details: { alsoFailed } },
  });
});

test('what `await using` suppresses is told by the failure that came first', async () => {
  const work = async () => {
    await using _one = { [Symbol.asyncDispose]: () => Promise.reject(new Error('the second')) };
    throw Object.assign(new Error('EROFS: read-only file system'), { code: 'EROFS' });
  };
  const failure: unknown = await work().catch((error: unknown) => error);
  expect((failure as Error).name).toBe('SuppressedError');
  expect(asStoreError(failure, 'write')).toMatchObject({
    ...{ code: 'store_failed', message: expect.stringContaining('EROFS') as string },
    details: { alsoFailed: ['the second'] },
  });
});

test('the lock of a machine that was renamed is taken over by one that would not wait at all', async () => {
  const file = await lockPath();
  await leaveLock(file, { host: 'renamed', life: undefined });
  const taking = { operation: 'next', timeoutMs: 0, silenceMs: 1_500 };
  await expect(acquireLock(file, taking)).rejects.toMatchObject({ code: 'lock_timeout' }); // it may live
  await vi.waitFor(async () => {
    expect(await ageOf(`${file}.owner`, 'ctimeMs')).toBeGreaterThan(1_500);
  }, 20_000);
  await using lock = await acquireLock(file, taking);
  expect(await lockHolder(file)).toMatchObject({ token: lock.owner.token });
});
