import { createHash } from 'node:crypto';
import path from 'node:path';
import { writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { manifestOf, ManifestMismatch, parseManifest } from '../../../src/fleet/bytes/content-manifest.js';
import { openArchive } from '../../../src/package/archive.js';
import { packageDigest } from '../../../src/package/integrity.js';
import { writeZip } from '../../../src/testing/index.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const sha256 = (text: string | Uint8Array) => createHash('sha256').update(text).digest('hex');
const EMPTY = sha256('');
const line = (name: string, size = 0, digest = EMPTY) => `${digest} ${size} ${name}\n`;

/** A manifest of these lines, with its own digest. */
const read = (lines: string, rest = '') => parseManifest(Buffer.from(`${lines}\n${rest}`), sha256(lines));

test('the manifest of an archive has its digest, whatever its order and compression, and is read back', async () => {
  const folder = await temporaryFolder();
  const entries = [
    { name: 'b/' },
    { name: 'b/中文.py', data: 'x'.repeat(1_000) },
    { name: 'a.sh', data: '#!', mode: 0o755 },
    { name: 'SIGNATURE', data: 'signed' },
  ];
  const texts = new Set<string>();
  for (const [label, given] of Object.entries({ one: entries, two: [...entries].reverse() })) {
    const file = path.join(folder, `${label}.zip`);
    await writeFile(file, writeZip(given));
    await using archive = await openArchive(file);
    const manifest = await manifestOf(archive);
    expect(manifest.digest).toBe(await packageDigest(archive));
    expect(manifest.signature?.toString()).toBe('signed');
    expect(manifest.entries.filter(({ isExecutable }) => isExecutable).map(({ name }) => name)).toEqual([
      'a.sh',
    ]);
    expect(parseManifest(manifest.text, manifest.digest)).toEqual(manifest);
    texts.add(manifest.text.toString());
  }
  expect(texts.size).toBe(1);
});

test.each([
  ['that names its way out', line('../x'), /".." segment/],
  ['with an absolute name', line('/etc/x'), /absolute path/],
  ['with a drive', line('C:/x'), /drive letter/],
  ['with a backslash', line('a\\b'), /backslash/],
  ['with a device of Windows', line('aux.txt'), /device/],
  ['with a name twice', line('a') + line('a'), /is there twice/],
  ['with twins that case makes one', line('A') + line('a'), /collides/],
  ['with a file that is a folder too', line('a') + line('a/b'), /folder at once/],
  ['with a line that is none', 'x\n', /line that is no entry/],
  ['with a digest in capitals', line('a', 0, EMPTY.toUpperCase()), /line that is no entry/],
  [
    'with a size that no number holds',
    line('a', 9e15).replace('9000000000000000', '9'.repeat(17)),
    /line that is no entry/,
  ],
  ['with a folder that has content', line('a/', 5), /folder with content/],
  ['out of order', line('b') + line('a'), /not in the order/],
  ['with the signature among what is signed', line('SIGNATURE'), /that of the signature/],
  ['with a file past the limit', line('a', 17 * 2 ** 30), /permitted for one file/],
  [
    'with more in all than the limit',
    line('a', 15 * 2 ** 30) + line('b', 15 * 2 ** 30) + line('c', 15 * 2 ** 30),
    /unpacks to/,
  ],
])('a manifest %s is an invalid package', (_, lines, said) => {
  expect(() => read(lines)).toThrow(
    expect.objectContaining({ code: 'invalid_zip', message: expect.stringMatching(said) as string }) as Error,
  );
});

test('a manifest of a million entries is refused before any of them is read', () => {
  const lines = Array.from({ length: 1_000_000 }, (_, i) => line(`f${String(i).padStart(7, '0')}`)).join('');
  expect(() => read(lines)).toThrow(/1000000 entries, more than the 200000 permitted/);
});

test.each([
  ['of another digest', Buffer.from(`${line('a')}\n`), sha256('other')],
  ['without its end', Buffer.from(line('a')), sha256(line('a'))],
  ['that is empty', Buffer.alloc(0), EMPTY],
  ['with two signatures', Buffer.from(`${line('a')}\nsignature AA==\nsignature AA==\n`), sha256(line('a'))],
  ['with a signature that is no base64', Buffer.from(`${line('a')}\nsignature A\n`), sha256(line('a'))],
  [
    'with a signature of 5 kB',
    Buffer.from(`${line('a')}\nsignature ${Buffer.alloc(5_000).toString('base64')}\n`),
    sha256(line('a')),
  ],
])('a text %s is no manifest of the package', (_, text, digest) => {
  expect(() => parseManifest(text, digest)).toThrow(ManifestMismatch);
});

test('a line of a later release behind the empty line is passed over', () => {
  expect(read(line('a'), 'colour red\n+x a\n').entries).toMatchObject([{ name: 'a', isExecutable: true }]);
});
