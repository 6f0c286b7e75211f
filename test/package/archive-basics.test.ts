import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { openArchive } from '../../src/package/archive.js';
import { writeZip, type ZipEntry } from '../../src/testing/zip-writer.js';
import { namesBelow } from '../support/folder-state.js';
import { temporaryFolder } from '../support/temp-folder.js';

const large = Buffer.alloc(600_000, 'large and repetitive, ');

const ENTRIES: ZipEntry[] = [
  { name: 'project/' },
  { name: 'project/manifest.json', data: '{"name":"sample"}' },
  { name: 'project/empty.txt', data: '' },
  { name: 'project/assets/large.bin', data: large },
  { name: 'project/run.sh', data: '#!/bin/sh\n', mode: 0o755 },
  { name: 'wheels/stored.whl', data: writeZip([{ name: 'inner.txt', data: 'inside' }]), stored: true },
];

async function archiveOf(entries: ZipEntry[] = ENTRIES) {
  const folder = await temporaryFolder();
  const file = path.join(folder, 'package.zip');
  await writeFile(file, writeZip(entries));
  return { folder, file, target: path.join(folder, 'out', 'deep') };
}

test('lists entries with their sizes, folders without a trailing slash', async () => {
  const { file } = await archiveOf();
  await using archive = await openArchive(file);
  expect(archive.entries.map(({ name, isDirectory, sizeBytes }) => [name, isDirectory, sizeBytes])).toEqual([
    ['project', true, 0],
    ['project/manifest.json', false, 17],
    ['project/empty.txt', false, 0],
    ['project/assets/large.bin', false, 600_000],
    ['project/run.sh', false, 10],
    ['wheels/stored.whl', false, archive.get('wheels/stored.whl')?.sizeBytes],
  ]);
  expect(archive.unpackedBytes).toBe(archive.entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  expect(archive.sizeBytes).toBe((await stat(file)).size);
  expect(archive.get('no/such')).toBeUndefined();
});

test('reads a small entry whole and a large one as a stream', async () => {
  const { file } = await archiveOf();
  await using archive = await openArchive(file);
  const [manifest, big] = ['project/manifest.json', 'project/assets/large.bin'].map((name) =>
    archive.get(name),
  );
  if (!manifest || !big) throw new Error('entries are missing');
  expect((await archive.read(manifest)).toString()).toBe('{"name":"sample"}');
  expect((await archive.read(big)).equals(large)).toBe(true);
  expect((await buffer(await archive.stream(big))).equals(large)).toBe(true);
});

test('opens a stored wheel in place through its slice', async () => {
  const { file } = await archiveOf();
  await using archive = await openArchive(file);
  const wheel = archive.get('wheels/stored.whl');
  const deflated = archive.get('project/assets/large.bin');
  if (!wheel || !deflated) throw new Error('entries are missing');
  expect(archive.slice(deflated)).toBeUndefined();
  await using inner = await openArchive(file, { range: archive.slice(wheel) });
  const [entry] = inner.entries;
  if (!entry) throw new Error('the wheel is empty');
  expect((await inner.read(entry)).toString()).toBe('inside');
});

test('unpacks every file with its content and its right to be run', async () => {
  const { file, target } = await archiveOf();
  await using archive = await openArchive(file);
  const seen: number[] = [];
  const result = await archive.extract(target, {
    durable: true,
    onProgress: (done, total) => seen.push(done / total),
  });
  expect(result).toEqual({ files: 5, bytes: archive.unpackedBytes });
  expect(await namesBelow(target)).toEqual([
    'project',
    'project/assets',
    'project/assets/large.bin',
    'project/empty.txt',
    'project/manifest.json',
    'project/run.sh',
    'wheels',
    'wheels/stored.whl',
  ]);
  expect((await readFile(path.join(target, 'project/assets/large.bin'))).equals(large)).toBe(true);
  if (process.platform !== 'win32') {
    expect((await stat(path.join(target, 'project/run.sh'))).mode & 0o111).not.toBe(0);
    expect((await stat(path.join(target, 'project/manifest.json'))).mode & 0o133).toBe(0);
  }
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(seen.at(-1)).toBe(1);
});

test('places entries where the mapping says and leaves out what it does not place', async () => {
  const { file, target } = await archiveOf();
  await using archive = await openArchive(file);
  await archive.extract(target, {
    place: ({ name }) =>
      name.endsWith('.sh') ? undefined : name.startsWith('wheels/') ? name : name.replace(/^project\/?/, ''),
  });
  expect(await namesBelow(target)).toEqual([
    'assets',
    'assets/large.bin',
    'empty.txt',
    'manifest.json',
    'wheels',
    'wheels/stored.whl',
  ]);
});

test('refuses to unpack into a folder with something in it', async () => {
  const { file, target } = await archiveOf();
  await mkdir(path.join(target, 'there'), { recursive: true });
  await using archive = await openArchive(file);
  await expect(archive.extract(target)).rejects.toMatchObject({ code: 'invalid_params' });
  expect(await readdir(target)).toEqual(['there']);
});
