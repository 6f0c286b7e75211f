import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { openArchive } from '../../src/package/archive/open-archive.js';
import { buildPackage } from '../../src/testing/index.js';
import { PackageValidator } from '../../src/validation/package-validator.js';
import { forgeZip, type ForgedEntry } from '../support/forge-zip.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { frameOf, growingFrame, inZstandard, nodeReason, rawFrame } from '../support/zstandard.js';

async function archiveWith(entry: Omit<ForgedEntry, 'name'>): Promise<string> {
  const file = path.join(await temporaryFolder(), 'a.zip');
  await writeFile(file, forgeZip([{ name: 'a', method: 93, central: { versionNeeded: 63 }, ...entry }]));
  return file;
}

/** What reading and unpacking of the only entry say, which take different ways for small and large ones. */
async function outcomes(file: string): Promise<string[]> {
  await using archive = await openArchive(file);
  const [entry] = archive.entries;
  if (!entry) throw new Error('no entry');
  const target = path.join(await temporaryFolder(), 'out');
  await mkdir(target);
  const said = (error: unknown) => (error as Error).message;
  const streamed = async () => {
    const parts: Buffer[] = [];
    for await (const part of (await archive.stream(entry)) as AsyncIterable<Buffer>) parts.push(part);
    return Buffer.concat(parts).toString('latin1');
  };
  const unpacked = async () => {
    await archive.extract(target);
    return readFile(path.join(target, 'a'), 'latin1');
  };
  return [
    await archive.read(entry).then((content) => content.toString('latin1'), said),
    await streamed().catch(said),
    await unpacked().catch(said),
  ];
}

/** Node 22 ends where the bytes end; 26 says that more should come. */
const CUT_OFF = /bytes, not the|unexpected end of file/;

test.skipIf(nodeReason === undefined)(
  'a Node without Zstandard names the entry, the method and what reads it (skipped where this Node has it)',
  async () => {
    const file = await archiveWith({ data: 'text', packed: rawFrame(Buffer.from('text')) });
    await expect(openArchive(file)).rejects.toMatchObject({
      code: 'invalid_zip',
      message: expect.stringMatching(
        /"a" is compressed by Zstandard \(method 93\), which Node [\d.]+ does not read.*Node 22\.15, 23\.8 or later.*Deflate/s,
      ) as string,
    });
  },
);

describe.skipIf(nodeReason !== undefined)(
  `entries compressed by Zstandard (${nodeReason === undefined ? 'here' : `skipped: ${nodeReason}`})`,
  () => {
    const large = Buffer.from('a line of text that comes again\n'.repeat(100_000));

    test.each([
      ['a word', Buffer.from('text')],
      ['nothing', Buffer.alloc(0)],
      ['3 MB', large],
    ])('%s is read, compressed and as it is', async (_, data) => {
      for (const packed of [frameOf(data), rawFrame(data)]) {
        const text = data.toString('latin1');
        expect(await outcomes(await archiveWith({ data, packed }))).toEqual([text, text, text]);
      }
    });

    test.each<[string, Omit<ForgedEntry, 'name'>, RegExp]>([
      ['more than declared', { data: 'abc', packed: growingFrame(1000) }, /more than the 3 bytes declared/],
      [
        'a gigabyte from 32 KB',
        { data: Buffer.alloc(2_000_000), packed: growingFrame(2 ** 30) },
        /more than the 2000000 bytes declared/,
      ],
      [
        'less than declared',
        { data: 'abcdef', packed: rawFrame(Buffer.from('abc')) },
        /has 3 bytes, not the 6/,
      ],
      ['another content', { data: 'abc', packed: rawFrame(Buffer.from('abd')) }, /its CRC-32 is/],
      [
        'bytes after the frame',
        { data: 'abc', packed: Buffer.concat([rawFrame(Buffer.from('abc')), Buffer.from('more')]) },
        /end 4 bytes before they should/,
      ],
      ['a frame that is cut off', { data: large, packed: frameOf(large).subarray(0, -5) }, CUT_OFF],
      ['no frame', { data: 'abc', packed: Buffer.from('no frame at all') }, /damaged in its compressed data/],
      [
        'a window of 1 GiB',
        { data: Buffer.alloc(2 ** 18), packed: growingFrame(2 ** 18, 30) },
        /damaged in its compressed data/,
      ],
    ])('%s is refused', async (_, entry, message) => {
      for (const said of await outcomes(await archiveWith(entry))) expect(said).toMatch(message);
    });

    // RFC 8878 lets frames follow one another. Node 22 reads the first, as Python's zipfile does; Node 26 reads all.
    test('a second frame is read with the first or refused, never left out', async () => {
      const packed = Buffer.concat([rawFrame(Buffer.from('abc')), rawFrame(Buffer.from('def'))]);
      for (const said of await outcomes(await archiveWith({ data: 'abcdef', packed })))
        expect(said).toMatch(/^abcdef$|end \d+ bytes before they should|has 3 bytes, not the 6/);
      for (const said of await outcomes(await archiveWith({ data: 'abc', packed })))
        expect(said).toMatch(/end \d+ bytes before they should|more than the 3 bytes/);
    });

    test('eight bytes, too few for a frame, are refused before anything is read', async () => {
      const file = await archiveWith({ data: 'abc', packed: Buffer.alloc(8) });
      await expect(openArchive(file)).rejects.toThrow('is compressed by Zstandard, but has no data');
    });

    test('a package compressed so is inspected as one that is deflated', async () => {
      const plain = await buildPackage();
      const folder = await temporaryFolder();
      const reports = [];
      for (const [name, zip] of [
        ['plain.zip', plain],
        ['zstandard.zip', await inZstandard(plain)],
      ] as const) {
        const file = path.join(folder, name);
        await writeFile(file, zip);
        const { checks, wheels, manifest } = await new PackageValidator({ smoke: false }).inspect(file);
        reports.push({ checks: checks.map(({ name, result }) => [name, result]), wheels, manifest });
      }
      expect(reports[1]).toEqual(reports[0]);
    });
  },
);
