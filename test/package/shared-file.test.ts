import { open, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { openArchive } from '../../src/package/archive/open-archive.js';
import { SharedFile } from '../../src/package/archive/byte-source.js';
import { forgeZip } from '../support/forge-zip.js';
import { temporaryFolder } from '../support/temp-folder.js';

async function sharedFile(content: string): Promise<SharedFile> {
  const file = path.join(await temporaryFolder(), 'file');
  await writeFile(file, content);
  return new SharedFile(await open(file));
}

describe('a file that is read at many positions', () => {
  test('gives ranges one after the other, whatever their order in the file', async () => {
    const file = await sharedFile('0123456789');
    const into = Buffer.alloc(6, '.');
    const ranges = [
      { offset: 6, length: 2 },
      { offset: 0, length: 1 },
      { offset: 1, length: 2 },
    ];
    expect(await file.readEach(ranges, 1, into)).toBe(5);
    expect(into.toString()).toBe('78123.');
    await file.close();
  });

  test('says how many bytes there were when ranges run past its end', async () => {
    const file = await sharedFile('0123456789');
    const ranges = [
      { offset: 8, length: 5 },
      { offset: 20, length: 5 },
    ];
    expect(await file.readEach(ranges, 0, Buffer.alloc(10))).toBe(2);
    await file.close();
  });

  test('is closed after the reads that are under way, and refuses others', async () => {
    const file = await sharedFile('0123456789'.repeat(100_000));
    const into = Buffer.alloc(1_000_000);
    const order: string[] = [];
    const reading = file.readEach([{ offset: 0, length: 1_000_000 }], 0, into).then((bytes) => {
      order.push('read');
      return bytes;
    });
    const closing = Promise.all([file.close(), file.close()]).then(() => order.push('closed'));
    await expect(file.readEach([{ offset: 0, length: 1 }], 0, into)).rejects.toThrow('it was closed');
    expect(await reading).toBe(1_000_000);
    await closing;
    expect(order).toEqual(['read', 'closed']);
    expect(file.fd).toBe(-1);
  });

  test('tells of a range that cannot be read after the others have ended, and can be closed then', async () => {
    const file = await sharedFile('0123456789');
    const into = Buffer.alloc(4, '.');
    const ranges = [
      { offset: 0, length: 2 },
      { offset: Number.NaN, length: 1 },
      { offset: 4, length: 1 },
    ];
    await expect(file.readEach(ranges, 0, into)).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    expect(into.toString()).toBe('01.4');
    await file.close();
    expect(file.fd).toBe(-1);
  });

  test('tells the fault of the system, after all reads have ended', async () => {
    const file = new SharedFile(await open(path.join(await temporaryFolder(), 'file'), 'w')); // not to be read
    const ranges = [
      { offset: 0, length: 1 },
      { offset: 1, length: 1 },
    ];
    await expect(file.readEach(ranges, 0, Buffer.alloc(2))).rejects.toMatchObject({ syscall: 'read' });
    await file.close();
  });
});

test('an archive that is discarded is closed and holds no entries any more', async () => {
  const file = path.join(await temporaryFolder(), 'package.zip');
  await writeFile(file, forgeZip([{ name: 'a/b.txt', data: 'content' }]));
  const archive = await openArchive(file);
  const [entry] = archive.entries;
  await archive.discard();
  expect(archive.entries).toEqual([]);
  expect(archive.get('a/b.txt')).toBeUndefined();
  await expect(archive.stream(entry ?? expect.fail('no entry'))).rejects.toMatchObject({ code: 'not_found' });
});

test('an archive that forgets its entries while others write its files goes on to the end, and removes what a fault leaves', async () => {
  const folder = await temporaryFolder();
  const file = path.join(folder, 'package.zip');
  await writeFile(file, forgeZip([{ name: 'a/b.txt', data: 'content' }]));
  const unpack = async (target: string, failing: boolean) => {
    const archive = await openArchive(file);
    let held = -1;
    const report = archive.extract(path.join(folder, target), {
      unpackFiles: async (files, { onProgress }) => {
        archive.forget();
        held = files.length + archive.entries.length;
        await writeFile(path.join(folder, target, 'a/b.txt'), 'content');
        if (failing) throw new Error('the disk is gone');
        onProgress(7);
      },
    });
    try {
      return { report: await report, held };
    } finally {
      await archive.close();
    }
  };
  await expect(unpack('whole', false)).resolves.toEqual({ report: { files: 1, bytes: 7 }, held: 0 });
  await expect(unpack('failed', true)).rejects.toThrow('the disk is gone');
  expect(await readdir(folder)).toEqual(['package.zip', 'whole']);
});
