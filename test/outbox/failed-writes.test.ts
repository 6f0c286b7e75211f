import { ClassicLevel } from 'classic-level';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { verifyReceipts } from '../../src/outbox/index.js';
import { levelDatabase } from '../../src/outbox/storage/level.js';
import { readerOf } from '../../src/outbox/storage/reader.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { facts, openOutbox, resultOf } from './support.js';

/** A disk whose writes fail after, or before, the bytes are on it, and that cannot be read for a while. */
function failingDisk() {
  const disk = { fails: undefined as 'before' | 'after' | undefined, isAway: false };
  const prototype = ClassicLevel.prototype as unknown as Record<string, (...given: unknown[]) => unknown>;
  const { batch, _open: open } = prototype;
  prototype.batch = function (this: object, ...given: unknown[]) {
    const made = batch?.apply(this, given) as { write(options: object): Promise<void> };
    const { fails } = disk;
    if (given.length > 0 || fails === undefined) return made;
    const write = made.write.bind(made);
    made.write = async (options) => {
      disk.isAway = true;
      if (fails === 'after') await write(options);
      throw new Error('IO error: the disk is gone');
    };
    return made;
  };
  prototype._open = function (this: object, ...given: unknown[]) {
    return disk.isAway ? Promise.reject(new Error('IO error: the disk is gone')) : open?.apply(this, given);
  };
  onTestFinished(() => {
    Object.assign(prototype, { batch, _open: open });
  });
  return disk;
}

test.each([
  ['after', 2],
  ['before', 1],
] as const)(
  'a write that fails %s it is on the disk, which cannot be read then, settles when it is known: nothing is there twice',
  async (fails, logged) => {
    const disk = failingDisk();
    const outbox = await openOutbox(await temporaryFolder());
    await outbox.record(resultOf(), facts);
    disk.fails = fails;
    let settled = '';
    const recorded = outbox.record(resultOf('NG'), facts).then(
      () => (settled = 'kept'),
      (error: unknown) => (settled = (error as { code: string }).code),
    );
    await vi.waitFor(async () => {
      const { diskError, oldestDueAt } = await outbox.status();
      expect([diskError, oldestDueAt]).toEqual(['the disk is gone', undefined]);
    });
    await expect(outbox.note('log', {})).rejects.toMatchObject({ code: 'store_failed' });
    await expect(outbox.queue.due('records')).rejects.toMatchObject({ code: 'store_failed' });
    expect(settled).toBe('');
    Object.assign(disk, { fails: undefined, isAway: false });
    await recorded;
    // What the disk did not have is tried once more where room can be made, and else told as lost.
    expect(settled).toBe(fails === 'after' ? 'kept' : 'store_failed');
    const { due, shed } = await outbox.status();
    expect([due.business.records, due.business.records + shed.business.records]).toEqual([logged, 2]);
    await outbox.close();
    expect((await verifyReceipts(outbox.folder)).faults).toEqual([]);
  },
);

test('an outbox that is closed while it is not known whether a batch is on the disk ends, and says that it failed', async () => {
  const disk = failingDisk();
  const outbox = await openOutbox(await temporaryFolder());
  disk.fails = 'after';
  const recorded = expect(outbox.record(resultOf(), facts)).rejects.toMatchObject({ code: 'store_failed' });
  await vi.waitFor(async () => {
    expect((await outbox.status()).diskError).toBe('the disk is gone');
  });
  await outbox.close();
  await recorded;
});

test('a read of a store that was closed under it says what the store says, not what LevelDB does', async () => {
  const database = levelDatabase(path.join(await temporaryFolder(), 'records'));
  await database.open();
  const reader = readerOf(database, () => new Error('the store takes nothing now'));
  await database.batch([{ type: 'put', key: 'a', value: Buffer.of(1) }], { sync: true });
  const entries = reader.iterator({ gte: 'a', lt: 'z' })[Symbol.asyncIterator]();
  await database.close();
  for (const read of [reader.get('a'), reader.getMany(['a']), entries.next()])
    await expect(read).rejects.toThrow('the store takes nothing now');
});
