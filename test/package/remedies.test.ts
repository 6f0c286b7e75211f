import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { RunnerError } from '../../src/errors.js';
import { openArchive } from '../../src/package/archive.js';
import type { OpenArchiveOptions } from '../../src/package/archive/load-archive.js';
import { BAD_ARCHIVES, BAD_CONTENTS, type BadArchive } from '../support/bad-archives.js';
import { forgeZip } from '../support/forge-zip.js';
import { temporaryFolder } from '../support/temp-folder.js';

const CENTRAL = Buffer.from('PK\x01\x02', 'latin1');
const FILE_TYPE = 0o170000;
const REGULAR_FILE = 0o100000;
const FOLDER = 0o040000;

/** Something on the disk of the maker of a package. */
interface OnDisk {
  name: string;
  /** Type and permissions, as the packed archive says. */
  mode: number;
}

/**
 * What the maker has on disk, by what the archive says of it. A disk has no name twice and no file and folder in one
 * place, and no folder `..` or nameless; everything else of a name is there as it was packed.
 */
function onDisk(archive: Buffer): OnDisk[] {
  const found = new Map<string, OnDisk>();
  for (let at = archive.indexOf(CENTRAL); at >= 0; at = archive.indexOf(CENTRAL, at + 4)) {
    const nameEnd = at + 46 + (at + 46 <= archive.length ? archive.readUInt16LE(at + 28) : Infinity);
    if (nameEnd > archive.length) continue;
    const written = archive.toString('utf8', at + 46, nameEnd);
    const name = plain(written);
    const isTaken = [...found.keys()].some(
      (other) => other.startsWith(`${name}/`) || name.startsWith(`${other}/`),
    );
    const mode = archive.readUInt16LE(at + 40);
    const isFolder = /[\\/]$/.test(written) || (mode & FILE_TYPE) === FOLDER;
    if (name !== '' && !isTaken && !isFolder) found.set(name, { name, mode });
  }
  return [...found.values()];
}

function plain(written: string): string {
  const segments = written
    .replaceAll('\\', '/')
    .replace(/^[A-Za-z]:/, '')
    .split('/');
  return segments
    .map((segment) => segment.replace(/\0.*$/s, ''))
    .filter((segment) => !['', '.', '..'].includes(segment))
    .join('/');
}

/** Packs what is on a disk as honest tools do: names, kinds and rights as they are. */
const packed = (files: readonly OnDisk[]) =>
  forgeZip(files.map(({ name, mode }) => ({ name, data: 'x', ...(mode !== 0 && { mode }) })));

type Follow = (files: OnDisk[], entry: string) => Buffer;

const packedAgain: Follow = (files) => packed(files);

/** Changes what the message names, whose name it may have cut; undefined takes it away. */
const withChanged =
  (change: (file: OnDisk) => OnDisk | undefined): Follow =>
  (files, entry) => {
    const named = plain(entry.replace(/…$/, ''));
    return packed(files.flatMap((file) => (file.name.startsWith(named) ? (change(file) ?? []) : file)));
  };

/** What each remedy asks for, done by the letter. */
const REMEDIES: readonly (readonly [remedy: RegExp, follow: Follow])[] = [
  [/Ask its maker to pack it again with the packaging tool \(procvision-cli package\)$/, packedAgain],
  // What was meant to come comes whole.
  [/Copy the package again from its source; if it stays so, ask its maker to pack it again$/, packedAgain],
  [/Ask its maker to pack it again with the method Deflate \(7z a -tzip -mm=Deflate\)$/, packedAgain],
  [/Pack the package again without a password$/, packedAgain],
  [
    /Join them \(zip -s 0 parts\.zip --out package\.zip\), or pack the package again as one file$/,
    packedAgain,
  ],
  [/Rename it, and pack the package again$/, withChanged((file) => ({ ...file, name: 'renamed' }))],
  [/Take it out, and pack the package again$/, withChanged(() => undefined)],
  [
    /Put the file that it leads to in its place \(zip without -y\), and pack the package again$/,
    withChanged((file) => ({ ...file, mode: (file.mode & ~FILE_TYPE) | REGULAR_FILE })),
  ],
  [
    /Take that right from it \(chmod ug-s\), and pack the package again$/,
    withChanged((file) => ({ ...file, mode: file.mode & ~0o6000 })),
  ],
];

async function refusal(bytes: Buffer): Promise<{ error: RunnerError; file: string }> {
  const folder = await temporaryFolder();
  const file = path.join(folder, 'package.zip');
  await writeFile(file, bytes);
  const error: unknown = await read(file).catch((reason: unknown) => reason);
  if (RunnerError.is(error, 'invalid_zip')) return { error, file };
  throw new Error('expected invalid_zip', { cause: error });
}

/** Opens and unpacks. */
async function read(file: string, options: OpenArchiveOptions = {}): Promise<void> {
  await using archive = await openArchive(file, options);
  await archive.extract(path.join(path.dirname(file), `out-${path.basename(file)}`));
}

const RAISE = /Ask its maker for a smaller one, or raise (\w+) in the option limits if it is meant to be so$/;

describe('what the message of a bad archive says to do, done:', () => {
  test.each([...BAD_ARCHIVES, ...BAD_CONTENTS])('$title', async ({ bytes }: BadArchive) => {
    const bad = bytes();
    const { error, file } = await refusal(bad);
    const { message, details } = error;
    // One remedy, and nothing to do in the fault itself.
    expect(message.match(/\. (?=[A-Z])/g), message).toHaveLength(1);
    const limit = RAISE.exec(message)?.[1];
    if (limit !== undefined) {
      // What it is too much for besides is told then. Not unpacked: it is too much.
      const opened = openArchive(file, { limits: { [limit]: Number.MAX_SAFE_INTEGER } });
      const next = await opened.then((archive) => archive.close()).catch((reason: unknown) => String(reason));
      expect(String(next)).not.toContain(`raise ${limit} `);
      return;
    }
    const [found, ...others] = REMEDIES.filter(([remedy]) => remedy.test(message));
    expect(found, message).toBeDefined();
    expect(others).toEqual([]);
    const followed = path.join(path.dirname(file), 'followed.zip');
    await writeFile(
      followed,
      found?.[1](onDisk(bad), typeof details.entry === 'string' ? details.entry : '') ?? '',
    );
    await read(followed);
  });
});

test('a name that is no text in the encoding that was given is read without it, or in another', async () => {
  const bytes = forgeZip([{ name: Buffer.from('81ff', 'hex'), data: 'x', flags: 0 }]);
  const file = path.join(await temporaryFolder(), 'package.zip');
  await writeFile(file, bytes);
  await expect(read(file, { nameEncoding: 'gbk' })).rejects.toThrow(/Give another nameEncoding, or none$/);
  await read(file, { nameEncoding: 'cp437' });
  await using archive = await openArchive(file);
  expect(archive.entries).toHaveLength(1);
});

test('a folder, and a file that is not there, are told as what they are', async () => {
  const folder = await temporaryFolder();
  await expect(read(folder)).rejects.toThrow(/is not a regular file\. Give the path of a package$/);
  await expect(read(path.join(folder, 'none.zip'))).rejects.toMatchObject({ code: 'not_found' });
});
