import { spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { openArchive } from '../../src/package/archive.js';
import {
  descriptorOf,
  extraField,
  forgeZip,
  unicodePathField,
  zip64Field,
  type ForgedEntry,
} from '../support/forge-zip.js';
import { temporaryFolder } from '../support/temp-folder.js';

const GBK_FOLDER = Buffer.from([0xb0, 0xe5, 0xbf, 0xa8]); // 板卡
const TEXT = 'some text\n'.repeat(30);

interface OddArchive {
  title: string;
  bytes: () => Buffer;
  /** Files it unpacks to, with their content. */
  files: Record<string, string>;
}

function withDescriptor(form: { signed: boolean; wide: boolean }): ForgedEntry {
  const data = Buffer.from(TEXT);
  return {
    name: 'a.txt',
    data,
    flags: 0x808,
    descriptor: descriptorOf(crc32(data), deflateRawSync(data).length, data.length, form),
  };
}

const ODD: OddArchive[] = [
  { title: 'no entries at all', bytes: () => forgeZip([]), files: {} },
  {
    title: 'GBK names without the UTF-8 flag',
    bytes: () =>
      forgeZip([{ name: Buffer.concat([GBK_FOLDER, Buffer.from('/a.txt')]), data: TEXT, flags: 0 }]),
    files: { '板卡/a.txt': TEXT },
  },
  {
    title: 'a GBK name whose second byte is a backslash',
    bytes: () => forgeZip([{ name: Buffer.from([0x81, 0x5c, 0x2e, 0x74]), data: TEXT, flags: 0 }]),
    files: { '乗.t': TEXT },
  },
  {
    title: 'a name in code page 437',
    bytes: () => forgeZip([{ name: Buffer.from([0x81]), data: TEXT, flags: 0 }]),
    files: { ü: TEXT },
  },
  {
    title: 'a UTF-8 name',
    bytes: () => forgeZip([{ name: '板卡.txt', data: TEXT }]),
    files: { '板卡.txt': TEXT },
  },
  {
    title: 'a UTF-8 flag in one header only, on an ASCII name',
    bytes: () => forgeZip([{ name: 'a.txt', data: TEXT, local: { flags: 0 } }]),
    files: { 'a.txt': TEXT },
  },
  {
    title: 'a Unicode path field beside a name in code page 437',
    bytes: () => {
      const name = Buffer.from([0x84, 0x2e, 0x74, 0x78, 0x74]);
      return forgeZip([{ name, data: TEXT, flags: 0, extra: unicodePathField('ä.txt', name) }]);
    },
    files: { 'ä.txt': TEXT },
  },
  {
    title: 'a Unicode path field left over from a renamed entry',
    bytes: () => forgeZip([{ name: 'new.txt', data: TEXT, extra: unicodePathField('old.txt', 'old.txt') }]),
    files: { 'new.txt': TEXT },
  },
  {
    title: 'backslashes as separators',
    bytes: () => forgeZip([{ name: 'project\\' }, { name: 'project\\src\\main.py', data: TEXT }]),
    files: { 'project/src/main.py': TEXT },
  },
  {
    title: 'no folder entries',
    bytes: () =>
      forgeZip([
        { name: 'a/b/c/d.txt', data: TEXT },
        { name: 'a/e.txt', data: '' },
      ]),
    files: { 'a/b/c/d.txt': TEXT, 'a/e.txt': '' },
  },
  {
    title: 'folders after what lies in them',
    bytes: () => forgeZip([{ name: 'a/b.txt', data: TEXT }, { name: 'a/' }]),
    files: { 'a/b.txt': TEXT },
  },
  {
    title: 'directory records in another order than the entries',
    bytes: () => {
      const first = forgeZip([{ name: 'one.txt', data: TEXT }]);
      const size = first.indexOf(Buffer.from('PK\x01\x02', 'latin1'));
      return forgeZip([
        { name: 'two.txt', data: TEXT, omit: 'local', central: { offset: size } },
        { name: 'one.txt', data: TEXT },
        { name: 'two.txt', data: TEXT, omit: 'central' },
      ]);
    },
    files: { 'one.txt': TEXT, 'two.txt': TEXT },
  },
  {
    title: 'a folder entry twice, as tools that merge archives write it',
    bytes: () => forgeZip([{ name: 'a/' }, { name: 'a/b.txt', data: TEXT }, { name: 'a/' }]),
    files: { 'a/b.txt': TEXT },
  },
  {
    title: 'names from the folder itself, and that folder',
    bytes: () => forgeZip([{ name: './' }, { name: './a/' }, { name: './a/b.txt', data: TEXT }]),
    files: { 'a/b.txt': TEXT },
  },
  {
    title: 'a folder that is marked as deflated and has no data',
    bytes: () =>
      forgeZip([
        { name: 'a/', method: 8, packed: Buffer.alloc(0) },
        { name: 'a/b.txt', data: TEXT },
      ]),
    files: { 'a/b.txt': TEXT },
  },
  {
    title: 'zeros after the end record, to the end of a block',
    bytes: () => forgeZip([{ name: 'a.txt', data: TEXT }], { trailing: Buffer.alloc(4_000) }),
    files: { 'a.txt': TEXT },
  },
  {
    title: 'zeros after the comment',
    bytes: () =>
      forgeZip([{ name: 'a.txt', data: TEXT }], { comment: Buffer.from('made'), trailing: Buffer.alloc(30) }),
    files: { 'a.txt': TEXT },
  },
  {
    title: 'everything stored',
    bytes: () =>
      forgeZip([
        { name: 'a.txt', data: TEXT, method: 0 },
        { name: 'empty', data: '', method: 0 },
      ]),
    files: { 'a.txt': TEXT, empty: '' },
  },
  {
    title: 'an empty file, deflated',
    bytes: () => forgeZip([{ name: 'empty', data: '' }]),
    files: { empty: '' },
  },
  {
    title: 'a folder whose nothing is deflated',
    bytes: () =>
      forgeZip([
        { name: 'a/', method: 8 },
        { name: 'a/b.txt', data: TEXT },
      ]),
    files: { 'a/b.txt': TEXT },
  },
  ...[true, false].flatMap((signed) =>
    [true, false].map((wide) => ({
      title: `data descriptors ${signed ? 'with' : 'without'} signature, sizes of ${wide ? 64 : 32} bits`,
      bytes: () => forgeZip([withDescriptor({ signed, wide }), { name: 'b.txt', data: TEXT }]),
      files: { 'a.txt': TEXT, 'b.txt': TEXT },
    })),
  ),
  {
    title: 'a data descriptor without signature on a folder',
    bytes: () =>
      forgeZip([
        { name: 'a/', flags: 0x808, descriptor: Buffer.alloc(12) },
        { name: 'a/b.txt', data: TEXT },
      ]),
    files: { 'a/b.txt': TEXT },
  },
  {
    title: 'a local extra field of 4,000 bytes',
    bytes: () =>
      forgeZip([{ name: 'a.txt', data: TEXT, local: { extra: extraField(0x9999, Buffer.alloc(4_000)) } }]),
    files: { 'a.txt': TEXT },
  },
  {
    title: 'three bytes of padding as extra field',
    bytes: () => forgeZip([{ name: 'a.txt', data: TEXT, extra: Buffer.alloc(3) }]),
    files: { 'a.txt': TEXT },
  },
  {
    title: 'a comment of 60,000 bytes',
    bytes: () => forgeZip([{ name: 'a.txt', data: TEXT }], { comment: Buffer.alloc(60_000, 'x') }),
    files: { 'a.txt': TEXT },
  },
  {
    title: 'a zip64 end record',
    bytes: () => forgeZip([{ name: 'a.txt', data: TEXT }], { zip64: {} }),
    files: { 'a.txt': TEXT },
  },
  {
    title: 'a zip64 end record that the plain one does not need',
    bytes: () => forgeZip([{ name: 'a.txt', data: TEXT }], { zip64: { defer: false } }),
    files: { 'a.txt': TEXT },
  },
  {
    title: 'zip64 sizes in both headers',
    bytes: () => {
      const packed = deflateRawSync(Buffer.from(TEXT)).length;
      const extra = zip64Field(BigInt(TEXT.length), BigInt(packed));
      return forgeZip([
        {
          name: 'a.txt',
          data: TEXT,
          extra,
          local: { size: 0xffffffff, packed: 0xffffffff },
          central: { size: 0xffffffff, packed: 0xffffffff },
        },
      ]);
    },
    files: { 'a.txt': TEXT },
  },
  {
    title: 'a stored archive inside, with an end record of its own',
    bytes: () =>
      forgeZip([{ name: 'inner.zip', data: forgeZip([{ name: 'x', data: 'y', method: 0 }]), method: 0 }]),
    files: { 'inner.zip': forgeZip([{ name: 'x', data: 'y', method: 0 }]).toString('latin1') },
  },
  {
    title: 'names that only look like devices and drives',
    bytes: () =>
      forgeZip(
        ['console.py', 'com10.txt', 'auxiliary/nul_.py', '.hidden', 'a..b'].map((name) => ({
          name,
          data: name,
        })),
      ),
    files: {
      'console.py': 'console.py',
      'com10.txt': 'com10.txt',
      'auxiliary/nul_.py': 'auxiliary/nul_.py',
      '.hidden': '.hidden',
      'a..b': 'a..b',
    },
  },
  {
    title: 'made on MS-DOS, without Unix modes',
    bytes: () =>
      forgeZip([
        { name: 'a/', mode: 0, central: { madeBy: 20, external: 0x10 } },
        { name: 'a/b.txt', data: TEXT, mode: 0, central: { madeBy: 20, external: 0x20 } },
      ]),
    files: { 'a/b.txt': TEXT },
  },
  {
    title: 'a folder that hands its group on',
    bytes: () =>
      forgeZip([
        { name: 'a/', mode: 0o042775 },
        { name: 'a/b.txt', data: TEXT },
      ]),
    files: { 'a/b.txt': TEXT },
  },
];

async function unpackedFiles(file: string): Promise<Record<string, string>> {
  await using archive = await openArchive(file);
  const target = path.join(path.dirname(file), 'unpacked');
  const { files } = await archive.extract(target);
  const contents: Record<string, string> = {};
  for (const name of await readdir(target, { recursive: true })) {
    const there = path.join(target, name);
    if ((await stat(there)).isFile())
      contents[name.split(path.sep).join('/')] = (await readFile(there)).toString('latin1');
  }
  expect(files).toBe(Object.keys(contents).length);
  return contents;
}

test('there are at least 15 odd archives', () => {
  expect(ODD.length).toBeGreaterThanOrEqual(15);
});

describe('accepts, and unpacks whole,', () => {
  test.each(ODD)('$title', async ({ bytes, files }) => {
    const file = path.join(await temporaryFolder(), 'package.zip');
    await writeFile(file, bytes());
    expect(await unpackedFiles(file)).toEqual(files);
  });

  test('10,000 entries', async () => {
    const file = path.join(await temporaryFolder(), 'package.zip');
    await writeFile(
      file,
      forgeZip(
        Array.from({ length: 10_000 }, (_, n) => ({
          name: `folder${n % 100}/${n}.txt`,
          data: `${n}`,
          method: 0,
        })),
      ),
    );
    await using archive = await openArchive(file);
    expect(archive.entries).toHaveLength(10_000);
    const entry = archive.get('folder99/9999.txt');
    if (!entry) throw new Error('the last entry is missing');
    expect((await archive.read(entry)).toString()).toBe('9999');
  });

  test('exactly 65,535 entries without zip64', async () => {
    const file = path.join(await temporaryFolder(), 'package.zip');
    await writeFile(
      file,
      forgeZip(Array.from({ length: 65_535 }, (_, n) => ({ name: `${n % 50}/${n}`, method: 0 }))),
    );
    await using archive = await openArchive(file);
    expect(archive.entries).toHaveLength(65_535);
  });
});

const MADE_BY_PYTHON = `
import sys, io, zipfile
out = sys.argv[1]
class Unseekable(io.RawIOBase):
    def __init__(self, f): self.f = f
    def writable(self): return True
    def write(self, b): return self.f.write(b)
text = 'some text\\n' * 30
with zipfile.ZipFile(out + '/plain.zip', 'w', zipfile.ZIP_DEFLATED) as z:
    z.writestr('a.txt', text)
    z.writestr('板卡/b.txt', text)
with open(out + '/streamed.zip', 'wb') as f, zipfile.ZipFile(Unseekable(f), 'w', zipfile.ZIP_DEFLATED) as z:
    z.writestr('a.txt', text)
    z.writestr('b.txt', text, zipfile.ZIP_STORED)
with zipfile.ZipFile(out + '/zip64.zip', 'w', zipfile.ZIP_DEFLATED) as z:
    with z.open('a.txt', 'w', force_zip64=True) as f: f.write(text.encode())
with open(out + '/streamed64.zip', 'wb') as f, zipfile.ZipFile(Unseekable(f), 'w', zipfile.ZIP_DEFLATED) as z:
    with z.open('a.txt', 'w', force_zip64=True) as e: e.write(text.encode())
with zipfile.ZipFile(out + '/appended.zip', 'w') as z: z.writestr('a.txt', text)
with zipfile.ZipFile(out + '/appended.zip', 'a') as z: z.writestr('b.txt', text)
`;

const python = spawnSync('python3', ['-c', 'pass']).status === 0;
const infoZip = spawnSync('zip', ['-v']).status === 0;

describe.skipIf(!python)("accepts what Python's zipfile writes (skipped without python3)", () => {
  test.each([
    ['plain', { 'a.txt': TEXT, '板卡/b.txt': TEXT }],
    ['streamed', { 'a.txt': TEXT, 'b.txt': TEXT }],
    ['zip64', { 'a.txt': TEXT }],
    ['streamed64', { 'a.txt': TEXT }],
    ['appended', { 'a.txt': TEXT, 'b.txt': TEXT }],
  ])('%s', async (name, files) => {
    const folder = await temporaryFolder();
    const made = spawnSync('python3', ['-X', 'utf8', '-c', MADE_BY_PYTHON, folder], { encoding: 'utf8' });
    expect(made.stderr).toBe('');
    expect(await unpackedFiles(path.join(folder, `${name}.zip`))).toEqual(files);
  });
});

describe.skipIf(!infoZip)('accepts what Info-ZIP writes (skipped without zip)', () => {
  test.each([
    ['from a folder', ['-r', 'out.zip', 'tree']],
    ['stored', ['-0', '-r', 'out.zip', 'tree']],
    ['without folder entries', ['-D', '-r', 'out.zip', 'tree']],
    ['as a stream', ['-r', '-fd', 'out.zip', 'tree']],
    ['forced to zip64', ['-r', '-fz', 'out.zip', 'tree']],
  ])('%s', async (_, args) => {
    const folder = await temporaryFolder();
    await mkdir(path.join(folder, 'tree', 'sub'), { recursive: true });
    await writeFile(path.join(folder, 'tree', 'sub', 'a.txt'), TEXT);
    await writeFile(path.join(folder, 'tree', '板卡.txt'), TEXT);
    const made = spawnSync('zip', ['-q', ...args], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    });
    expect([made.status, made.stderr]).toEqual([0, '']);
    expect(await unpackedFiles(path.join(folder, 'out.zip'))).toEqual({
      'tree/sub/a.txt': TEXT,
      'tree/板卡.txt': TEXT,
    });
  });
});
