import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { openArchive } from '../../src/package/archive.js';
import { NAME_ENCODINGS } from '../../src/package/name-encodings.js';
import type { NameEncoding } from '../../src/package/types.js';
import { PackageValidator } from '../../src/validation/package-validator.js';
import { packageEntries } from '../../src/testing/index.js';
import { extraField, forgeZip, unicodePathField, type ForgedEntry } from '../support/forge-zip.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** Names as bytes of code pages, made once by iconv: this platform only decodes them. */
const NAMES: [string, NameEncoding, Buffer][] = [
  ['检测模板.bin', 'gbk', hex('bcecb2e2c4a3b0e52e62696e')],
  ['检查/缺陷.onnx', 'gbk', hex('bcecb2e92fc8b1cfdd2e6f6e6e78')],
  ['孔径φ12_5μm.bin', 'gbk', hex('bfd7beb6a6d531325f35a6cc6d2e62696e')],
  ['板ü.txt', 'gbk', hex('b0e5a8b92e747874')],
  ['検査モデル.bin', 'shift_jis', hex('8c9f8db883828366838b2e62696e'.replaceAll(' ', ''))],
  ['檢測模型.bin', 'big5', hex('c0cbb4fabcd2abac2e62696e')],
  ['검사모델.bin', 'euc-kr', hex('b0cbbbe7b8f0b5a82e62696e')],
  ['модель.bin', 'ibm866', hex('acaea4a5abec2e62696e')],
  ['Prüfung.bin', 'cp437', hex('50728166756e672e62696e')],
];

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}

const onWindows = { central: { madeBy: 20, external: 0x20 } };

async function opened(entries: readonly ForgedEntry[], nameEncoding?: NameEncoding) {
  const file = path.join(await temporaryFolder(), 'names.zip');
  await writeFile(file, forgeZip(entries));
  await using archive = await openArchive(file, { nameEncoding });
  return { names: archive.entries.map(({ name }) => name), doubt: archive.nameDoubt };
}

describe('a name without the UTF-8 flag', () => {
  test.each(['Prüfung.bin', 'Ø12_±5µm.bin', 'модель.bin', '検査.bin', 'e\u0301tat.txt'])(
    'that is UTF-8 is read so: %s',
    async (name) => {
      expect(await opened([{ name, data: 'x', flags: 0 }])).toEqual({ names: [name], doubt: undefined });
    },
  );

  test.each(NAMES)('is read as its tool meant it: %s, in %s', async (name, encoding, bytes) => {
    const { names, doubt } = await opened([{ name: bytes, data: 'x', flags: 0, ...onWindows }]);
    expect(names).toEqual([name]);
    // What Chinese Windows writes, in everyday words, is the usual case.
    if (encoding === 'gbk') expect(doubt).toBeUndefined();
    else expect(doubt).toMatch(new RegExp(`is read as ${encoding}.*give the option nameEncoding`));
  });

  test('that is UTF-8 by chance is read with the others of its archive', async () => {
    const [, , bytes] = NAMES[0] ?? [];
    const names = [hex('c4a3'), bytes ?? Buffer.alloc(0)]; // 模 alone is UTF-8 too
    const { names: read } = await opened(names.map((name) => ({ name, data: 'x', flags: 0, ...onWindows })));
    expect(read).toEqual(['模', '检测模板.bin']);
  });

  test('that could be UTF-8 and GBK alike is UTF-8, and the doubt is told', async () => {
    const { names, doubt } = await opened([{ name: hex('c4a3'), data: 'x', flags: 0, ...onWindows }]);
    expect(names).toEqual(['ģ']);
    expect(doubt).toMatch(/"ģ" is read as utf-8; in gbk it would be "模"/);
    expect((await opened([{ name: hex('c4a3'), data: 'x', flags: 0, ...onWindows }], 'gbk')).names).toEqual([
      '模',
    ]);
  });

  test.each(NAMES)('is read as the caller says: %s, in %s', async (name, encoding, bytes) => {
    expect(await opened([{ name: bytes, data: 'x', flags: 0 }], encoding)).toEqual({
      names: [name],
      doubt: undefined,
    });
  });

  test('that is no text in the encoding that the caller says is refused, and another encoding helps', async () => {
    const entries = [{ name: hex('81ff'), data: 'x', flags: 0 }];
    await expect(opened(entries, 'gbk')).rejects.toMatchObject({
      code: 'invalid_zip',
      message: expect.stringMatching(/no text in gbk\. Give another nameEncoding/) as string,
    });
    expect((await opened(entries, 'cp437')).names).toEqual(['ü\u00a0']);
  });
});

describe('a Unicode path field, as WinRAR writes it beside a name of a local code page,', () => {
  test.each(NAMES)('tells the name: %s, in %s', async (name, _, bytes) => {
    const extra = unicodePathField(name, bytes);
    expect(await opened([{ name: bytes, data: 'x', flags: 0, extra, ...onWindows }])).toEqual({
      names: [name],
      doubt: undefined,
    });
  });

  test('tells the name where the code page lacks its letters', async () => {
    const extra = unicodePathField('检测.bin', '__.bin');
    expect((await opened([{ name: '__.bin', data: 'x', flags: 0, extra }])).names).toEqual(['检测.bin']);
  });

  test('tells the encoding of the names without one', async () => {
    const [, , ru] = NAMES[7] ?? [];
    const bytes = ru ?? Buffer.alloc(0);
    const extra = unicodePathField('модель.bin', bytes);
    const { names, doubt } = await opened([
      { name: bytes, data: 'x', flags: 0, extra },
      { name: hex('ae'), data: 'x', flags: 0 },
    ]);
    expect([names, doubt]).toEqual([['модель.bin', 'о'], undefined]);
  });

  test('of another version, or for another name, tells nothing', async () => {
    const stale = unicodePathField('alt.bin', 'other.bin');
    expect((await opened([{ name: 'a.bin', data: 'x', flags: 0, extra: stale }])).names).toEqual(['a.bin']);
    const next = unicodePathField('alt.bin', 'a.bin', 2);
    expect((await opened([{ name: 'a.bin', data: 'x', flags: 0, extra: next }])).names).toEqual(['a.bin']);
    expect(extraField(1, Buffer.alloc(0))).toHaveLength(4);
  });
});

test('a package whose names leave doubt is told by inspect(), and the option decides', async () => {
  const validator = new PackageValidator({ smoke: false });
  const [, , bytes] = NAMES[4] ?? [];
  const file = path.join(await temporaryFolder(), 'package.zip');
  const entries = (await packageEntries()).filter(({ name }) => !name.endsWith('/'));
  await writeFile(
    file,
    forgeZip([
      ...entries.map(({ name, data = '' }) => ({ name, data: Buffer.from(data) })),
      { name: Buffer.concat([Buffer.from('sample/assets/'), bytes ?? Buffer.alloc(0)]), data: 'x', flags: 0 },
    ]),
  );
  expect((await validator.inspect(file)).warnings).toEqual([expect.stringContaining('検査モデル.bin')]);
  expect((await validator.inspect(file, { nameEncoding: 'shift_jis' })).warnings).toEqual([]);
  await expect(validator.inspect(file, { nameEncoding: 'latin-1' as NameEncoding })).rejects.toMatchObject({
    code: 'invalid_params',
  });
});

test('every encoding that may be given is one that this platform decodes', () => {
  for (const encoding of NAME_ENCODINGS.filter((name) => name !== 'cp437')) {
    expect(new TextDecoder(encoding).encoding).toBe(encoding);
  }
});

describe('what a reader must not guess is refused with a remedy that works:', () => {
  const python = spawnSync('python3', ['-c', 'pass']).status === 0;

  test.each([
    [9, /Deflate64 \(method 9\).*7z a -tzip -mm=Deflate/],
    [20, /Zstandard \(method 20\)/],
    [14, /LZMA \(method 14\)/],
  ])('method %i is named', async (method, message) => {
    await expect(opened([{ name: 'a', method, packed: Buffer.from('data') }])).rejects.toMatchObject({
      message: expect.stringMatching(message) as string,
    });
  });

  test.skipIf(!python)(
    'a descriptor that a tool dropped: packed again, it is read (skipped without python3)',
    async () => {
      const folder = await temporaryFolder();
      const file = path.join(folder, 'a.zip');
      await writeFile(file, forgeZip([{ name: 'a.txt', data: 'text', flags: 0x808 }]));
      await expect(openArchive(file)).rejects.toMatchObject({
        message: expect.stringMatching(
          /a tool that changed the archive dropped it\. Ask its maker to pack it again/,
        ) as string,
      });
      await mkdir(path.join(folder, 'out'));
      const again = `import shutil,sys; shutil.unpack_archive(sys.argv[1], sys.argv[2]); shutil.make_archive(sys.argv[3], 'zip', sys.argv[2])`;
      spawnSync('python3', ['-c', again, file, path.join(folder, 'out'), path.join(folder, 'again')]);
      await using archive = await openArchive(path.join(folder, 'again.zip'));
      expect(archive.entries.map(({ name }) => name)).toEqual(['a.txt']);
    },
  );
});
