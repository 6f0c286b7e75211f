import { constants } from 'node:fs';
import { access, mkdir, readdir, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { getEventListeners } from 'node:events';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { ArchiveEntry } from '../../src/package/archive-types.js';
import { DEFAULT_ARCHIVE_LIMITS, openArchive } from '../../src/package/archive.js';
import { loadArchive } from '../../src/package/archive/load-archive.js';
import { confirmDirectory } from '../../src/package/archive/second-reading.js';
import { crc32, crc32ByTable } from '../../src/package/crc32.js';
import { forgeZip, type ForgedEntry } from '../support/forge-zip.js';
import { writeSparseArchive } from '../support/sparse-archive.js';
import { temporaryFolder } from '../support/temp-folder.js';

const LARGE = Buffer.alloc(4_000_000, 'large and repetitive, but not by much: 0123456789');

async function archiveFile(entries: ForgedEntry[]): Promise<string> {
  const file = path.join(await temporaryFolder(), 'package.zip');
  await writeFile(file, forgeZip(entries));
  return file;
}

const small = (count: number): ForgedEntry[] =>
  Array.from({ length: count }, (_, n) => ({ name: `folder${n % 10}/${n}.txt`, data: `file ${n}` }));

function entryOf(entries: readonly ArchiveEntry[], name: string): ArchiveEntry {
  const entry = entries.find((one) => one.name === name);
  if (!entry) throw new Error(`no entry ${name}`);
  return entry;
}

async function exists(file: string): Promise<boolean> {
  return access(file, constants.F_OK).then(
    () => true,
    () => false,
  );
}

describe('limits', () => {
  test.each([
    ['maxEntries', { maxEntries: 2 }, /3 entries, more than the 2 permitted/],
    ['maxUnpackedBytes', { maxUnpackedBytes: 10 }, /unpacks to 18 bytes, more than the 10 permitted/],
    ['maxFileBytes', { maxFileBytes: 5 }, /more than the 5 permitted for one file/],
  ])('%s is kept at opening', async (_, limits, message) => {
    const file = await archiveFile(small(3));
    await expect(openArchive(file, { limits })).rejects.toMatchObject({
      code: 'invalid_zip',
      message: expect.stringMatching(message) as string,
    });
    await using archive = await openArchive(file);
    expect(archive.entries).toHaveLength(3);
  });

  test('ten million equal bytes pass: a ratio matters only where the sum takes long to unpack', async () => {
    const file = await archiveFile([{ name: 'zeros', data: Buffer.alloc(10_000_000) }]);
    await using archive = await openArchive(file);
    expect(archive.unpackedBytes).toBe(10_000_000);
  });

  test('maxRatio is the caller’s: what says that it unpacks to 1.2 GB from 1.2 MB passes where that is expected', async () => {
    const sizes = { size: 1_200_000_000, packed: 1_200_000 };
    const file = await archiveFile([
      { name: 'zeros', packed: Buffer.alloc(1_200_000), local: sizes, central: sizes },
    ]);
    await expect(openArchive(file)).rejects.toMatchObject({
      code: 'invalid_zip',
      message: expect.stringMatching(/200-fold that is permitted.*raise maxRatio/) as string,
    });
    await using archive = await openArchive(file, { limits: { maxRatio: 2_000 } });
    expect(archive.unpackedBytes).toBe(1_200_000_000);
  });

  test('a limit that is no positive number is refused with invalid_params', async () => {
    const file = await archiveFile(small(1));
    for (const maxEntries of [0, -1, NaN]) {
      await expect(openArchive(file, { limits: { maxEntries } })).rejects.toMatchObject({
        code: 'invalid_params',
      });
    }
  });

  test('the defaults let a 6 GB package pass', () => {
    expect(DEFAULT_ARCHIVE_LIMITS.maxFileBytes).toBeGreaterThan(6e9);
    expect(DEFAULT_ARCHIVE_LIMITS.maxUnpackedBytes).toBeGreaterThan(6e9);
  });

  test('a bomb that lies about its size is stopped after the bytes it declared', async () => {
    const bomb = deflateRawSync(Buffer.alloc(200_000_000));
    const lie = { size: 1_000_000 };
    const file = await archiveFile([
      ...small(3),
      { name: 'bomb.bin', packed: bomb, local: lie, central: lie },
    ]);
    const target = path.join(path.dirname(file), 'out');
    let written = 0;
    await using archive = await openArchive(file);
    await expect(
      archive.extract(target, { onProgress: (done) => (written = Math.max(written, done)) }),
    ).rejects.toMatchObject({ code: 'invalid_zip' });
    expect(written).toBeLessThan(2_000_000);
    expect(await exists(target)).toBe(false);
  });
});

describe('faults and ends', () => {
  test.each([
    ['missing file', 'not_found'],
    ['folder', 'invalid_zip'],
  ])('a %s is refused with %s that names it', async (what, code) => {
    const file = path.join(await temporaryFolder(), 'package.zip');
    if (what === 'folder') await mkdir(file);
    await expect(openArchive(file)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(file) as string,
    });
  });

  test('an entry past maxBytes is not read', async () => {
    await using archive = await openArchive(await archiveFile([{ name: 'a.txt', data: 'four' }]));
    const entry = entryOf(archive.entries, 'a.txt');
    await expect(archive.read(entry, { maxBytes: 3 })).rejects.toMatchObject({ code: 'invalid_zip' });
    expect((await archive.read(entry, { maxBytes: 4 })).toString()).toBe('four');
  });

  test('an archive that is cut while it is open ends reading with invalid_zip', async () => {
    const file = await archiveFile([{ name: 'large.bin', data: LARGE, method: 0 }]);
    await using archive = await openArchive(file);
    await truncate(file, 1_000_000);
    const entry = entryOf(archive.entries, 'large.bin');
    await expect(buffer(await archive.stream(entry))).rejects.toMatchObject({ code: 'invalid_zip' });
    const target = path.join(path.dirname(file), 'out');
    await expect(archive.extract(target)).rejects.toMatchObject({ code: 'invalid_zip' });
    expect(await exists(target)).toBe(false);
  });

  test('a mapping that brings two entries together is refused before anything is written', async () => {
    await using archive = await openArchive(await archiveFile([{ name: 'a/x' }, { name: 'b/X' }]));
    const target = path.join(path.dirname(archive.path), 'out');
    await expect(archive.extract(target, { place: ({ name }) => name.slice(2) })).rejects.toMatchObject({
      code: 'invalid_zip',
      message: expect.stringContaining('collides') as string,
    });
    expect(await exists(target)).toBe(false);
  });

  test.each(['../x', '/x', 'c:x', ''])('a mapping to %j is refused', async (to) => {
    await using archive = await openArchive(await archiveFile(small(1)));
    const target = path.join(path.dirname(archive.path), 'out');
    await expect(archive.extract(target, { place: () => to })).rejects.toMatchObject({ code: 'invalid_zip' });
    expect(await exists(target)).toBe(false);
  });

  test('a target below a file is refused with install_failed', async () => {
    await using archive = await openArchive(await archiveFile(small(1)));
    await expect(archive.extract(path.join(archive.path, 'out'))).rejects.toMatchObject({
      code: 'install_failed',
    });
  });

  test('folders that had to be made above the target go with it after a fault', async () => {
    const lie = { crc: 1 };
    const file = await archiveFile([...small(20), { name: 'bad', data: 'x', local: lie, central: lie }]);
    const above = path.join(path.dirname(file), 'one');
    await using archive = await openArchive(file);
    await expect(archive.extract(path.join(above, 'two', 'out'))).rejects.toMatchObject({
      code: 'invalid_zip',
    });
    expect(await exists(above)).toBe(false);
  });

  test('an empty target that was there stays, emptied, after a fault', async () => {
    const lie = { crc: 1 };
    const file = await archiveFile([...small(20), { name: 'bad', data: 'x', local: lie, central: lie }]);
    const target = path.join(path.dirname(file), 'out');
    await mkdir(target);
    await using archive = await openArchive(file);
    await expect(archive.extract(target)).rejects.toMatchObject({ code: 'invalid_zip' });
    expect(await readdir(target)).toEqual([]);
  });
});

describe('abort and close', () => {
  test('an abort during unpacking rejects with AbortError, removes everything and leaves no listener', async () => {
    const file = await archiveFile([...small(500), { name: 'large.bin', data: LARGE, method: 0 }]);
    const target = path.join(path.dirname(file), 'out');
    const controller = new AbortController();
    await using archive = await openArchive(file, { signal: controller.signal });
    await expect(
      archive.extract(target, {
        signal: controller.signal,
        onProgress: () => {
          controller.abort(new Error('enough'));
        },
      }),
    ).rejects.toMatchObject({ name: 'AbortError', code: 'aborted' });
    expect(await exists(target)).toBe(false);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  test('a signal that has fired lets nothing start', async () => {
    const file = await archiveFile(small(1));
    const signal = AbortSignal.abort();
    await expect(openArchive(file, { signal })).rejects.toMatchObject({ code: 'aborted' });
    await using archive = await openArchive(file);
    const [entry] = archive.entries;
    if (!entry) throw new Error('no entry');
    await expect(archive.read(entry, { signal })).rejects.toMatchObject({ code: 'aborted' });
    await expect(archive.stream(entry, { signal })).rejects.toMatchObject({ code: 'aborted' });
  });

  test('an abort ends a stream that is read', async () => {
    await using archive = await openArchive(
      await archiveFile([{ name: 'large.bin', data: LARGE, method: 0 }]),
    );
    const controller = new AbortController();
    const stream = await archive.stream(entryOf(archive.entries, 'large.bin'), { signal: controller.signal });
    const reading = (async () => {
      for await (const _ of stream) controller.abort();
    })();
    await expect(reading).rejects.toMatchObject({ code: 'aborted' });
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  test('closing ends what is under way, may be repeated, and lets nothing start', async () => {
    const file = await archiveFile([...small(200), { name: 'large.bin', data: LARGE, method: 0 }]);
    const archive = await openArchive(file);
    const large = entryOf(archive.entries, 'large.bin');
    const unread = await archive.stream(large);
    const ended = new Promise((resolve) => unread.once('error', resolve));
    const target = path.join(path.dirname(file), 'out');
    const unpacking = archive.extract(target).catch((error: unknown) => error);
    await Promise.all([archive.close(), archive.close()]);
    expect(await ended).toMatchObject({ code: 'closed' });
    expect(await unpacking).toMatchObject({ code: 'closed' });
    expect(await exists(target)).toBe(false);
    await expect(archive.read(large)).rejects.toMatchObject({ code: 'closed' });
    await expect(archive.extract(target)).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('an archive whose headers lie far apart', () => {
  /** 120 MB, more than is looked through at opening. */
  async function scattered(lastLocalName?: string): Promise<string> {
    const file = path.join(await temporaryFolder(), 'package.zip');
    await writeSparseArchive(file, { entries: 600, entryBytes: 200_000, lastLocalName });
    return file;
  }

  test('reads an entry whose header is in order', async () => {
    await using archive = await openArchive(await scattered());
    const content = await archive.read(entryOf(archive.entries, 'file7.bin'));
    expect(content.equals(Buffer.alloc(200_000))).toBe(true);
  });

  test('is refused before anything is written when one header lies', async () => {
    const file = await scattered('file000.bin');
    const target = path.join(path.dirname(file), 'out');
    await using archive = await openArchive(file);
    const refusal = { code: 'invalid_zip', message: expect.stringContaining('another name') as string };
    await expect(archive.extract(target)).rejects.toMatchObject(refusal);
    expect(await exists(target)).toBe(false);
    const last = entryOf(archive.entries, 'file599.bin');
    await expect(archive.read(last)).rejects.toMatchObject(refusal);
    await expect(archive.stream(last)).rejects.toMatchObject(refusal);
    expect(() => archive.slice(last)).toThrow('another name');
  });

  test('is refused for the last of more headers than are looked at together', async () => {
    const file = path.join(await temporaryFolder(), 'package.zip');
    await writeSparseArchive(file, { entries: 2_600, entryBytes: 20_000, lastLocalName: 'file0000.bin' });
    await using archive = await openArchive(file);
    await expect(archive.extract(path.join(path.dirname(file), 'out'))).rejects.toMatchObject({
      code: 'invalid_zip',
      message: expect.stringContaining('entry "file2599.bin" has another name') as string,
    });
  });

  test('tells that it became shorter since it was opened', async () => {
    const file = await scattered();
    const target = path.join(path.dirname(file), 'out');
    await using archive = await openArchive(file);
    await truncate(file, 60_000_000);
    await expect(archive.extract(target)).rejects.toMatchObject({
      code: 'invalid_zip',
      message: expect.stringContaining('package.zip became shorter while it was read') as string,
    });
    expect(await exists(target)).toBe(false);
  });
});

describe('the second reader', () => {
  test.each([
    ['name', { rawName: 'other' }],
    ['size', { sizeBytes: 1 }],
    ['compressed size', { compressedBytes: 1 }],
    ['CRC-32', { crc32: 1 }],
    ['method', { method: 0 as const }],
    ['flags', { flags: 0 }],
    ['position', { offset: 999 }],
  ])('refuses an archive when unzipper finds another %s than we did', async (what, wrong) => {
    const parts = await loadArchive(await archiveFile(small(2_000)), {});
    const directory = await parts.source.read(parts.directory.offset, parts.directory.length);
    await parts.source.close();
    const { signal } = new AbortController();
    await confirmDirectory('x.zip', directory, parts.entries, signal);
    const entries = parts.entries.map((entry, n) => (n === 1_500 ? { ...entry, ...wrong } : entry));
    await expect(confirmDirectory('x.zip', directory, entries, signal)).rejects.toMatchObject({
      code: 'invalid_zip',
      message: expect.stringContaining(
        `x.zip: entry "folder0/1500.txt": two readers differ in its ${what}. `,
      ) as string,
    });
  });
});

test('CRC-32 by table agrees with the published check value and with the platform’s', () => {
  expect(crc32ByTable(Buffer.from('123456789'))).toBe(0xcbf43926);
  expect(crc32ByTable(LARGE.subarray(5), crc32ByTable(LARGE.subarray(0, 5)))).toBe(crc32(LARGE));
});
