import { randomBytes } from 'node:crypto';
import { readdir, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { openArchive } from '../../src/package/archive.js';
import { buildPackage, packageEntries, writeZip, type WheelSource } from '../../src/testing/index.js';
import { PackageValidator } from '../../src/validation/package-validator.js';
import { folderState } from '../support/folder-state.js';
import { forgeZip } from '../support/forge-zip.js';
import { packageFile, wheelOf } from '../support/package-file.js';
import { IS_WINE } from '../support/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';

const validator = new PackageValidator({ smoke: false });
const LENS: WheelSource = {
  name: 'lens',
  version: '1.0',
  requires: ['glass>=2'],
  files: { 'lens/data.bin': randomBytes(5_000_000), 'lens/__init__.py': '' },
};
const NEEDS_LENS = 'procvision_algorithm_sdk\nlens\n';

/** The wheel with what matters first, as maturin writes it, or in its middle. */
async function rearranged(source: WheelSource, at: 'front' | 'middle') {
  const { file, bytes } = await wheelOf(source);
  const folder = path.join(await temporaryFolder(), file);
  await writeFile(folder, bytes);
  await using archive = await openArchive(folder);
  const entries = await Promise.all(
    archive.entries.map(async (entry) => ({
      name: entry.name,
      data: await archive.read(entry, { maxBytes: 1e9 }),
      method: 0,
    })),
  );
  const isInfo = ({ name }: { name: string }) => name.includes('.dist-info/');
  const info = entries.filter(isInfo);
  const rest = entries.filter((entry) => !isInfo(entry));
  const more = { name: 'lens/more.bin', data: randomBytes(5_000_000), method: 0 };
  return { file, bytes: forgeZip(at === 'front' ? [...info, ...rest] : [...rest, ...info, more]) };
}

describe('a wheel of 5 MB that the package compressed is looked into like one that it stored:', () => {
  test.each([true, false])('what it requires and is not there is told (stored: %s)', async (stored) => {
    const file = await packageFile({ wheels: [await wheelOf(LENS)], requirements: NEEDS_LENS, stored });
    const before = await folderState(path.dirname(file));
    await expect(validator.inspect(file)).rejects.toMatchObject({
      code: 'wheels_missing',
      message: expect.stringContaining('glass>=2 (required by lens-1.0-py3-none-any.whl)') as string,
    });
    expect(await folderState(path.dirname(file))).toEqual(before);
  });

  test.each(['front', 'middle'] as const)('with its .dist-info at its %s', async (at) => {
    const wheel = await rearranged(LENS, at);
    await expect(
      validator.inspect(await packageFile({ wheels: [wheel], requirements: NEEDS_LENS })),
    ).rejects.toMatchObject({ code: 'wheels_missing' });
  });

  test('with a directory longer than what is kept of its end at first', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 16_000 }, (_, n) => [`lens/${'deep/'.repeat(26)}module_${n}.py`, '']),
    );
    const wheel = await wheelOf({ ...LENS, files: { ...LENS.files, ...files } });
    await expect(
      validator.inspect(await packageFile({ wheels: [wheel], requirements: NEEDS_LENS })),
    ).rejects.toMatchObject({ code: 'wheels_missing' });
  });

  // To make such a wheel takes Wine more than ten minutes: each file of it goes over a thread.
  test.skipIf(IS_WINE)(
    'and one whose directory would take too much memory is a warning, and skips what needs it',
    async () => {
      const files = Object.fromEntries(
        Array.from({ length: 36_000 }, (_, n) => [
          `lens/${`${'d'.repeat(150)}/`.repeat(6)}module_${n}.py`,
          '',
        ]),
      );
      const wheel = await wheelOf({ ...LENS, requires: [], files });
      const { checks, warnings } = await validator.inspect(
        await packageFile({ wheels: [wheel], requirements: NEEDS_LENS }),
      );
      expect(warnings).toEqual([expect.stringContaining(wheel.file)]);
      for (const name of ['wheel_contents', 'requirements_met']) {
        expect(checks.find((check) => check.name === name)).toMatchObject({
          result: 'SKIP',
          message: expect.stringContaining(wheel.file) as string,
        });
      }
    },
  );

  test('its unpacked size and number of files are known', async () => {
    const wheel = await wheelOf({ ...LENS, requires: [] });
    const { wheels } = await validator.inspect(
      await packageFile({ wheels: [wheel], requirements: NEEDS_LENS }),
    );
    const lens = wheels.find(({ name }) => name === 'lens');
    expect(lens?.unpackedBytes).toBeGreaterThan(5_000_000);
    expect(lens?.files).toBe(7);
  });
});

describe('what was found in wheels is remembered', () => {
  /** A package whose only change between two inspections is one the memory must not, or must, see. */
  const settled = (file: string) =>
    expect.poll(async () => Date.now() - (await stat(file)).ctimeMs).toBeGreaterThan(60);

  test('for the same file, also under another name, and not for another in its place', async () => {
    const lens = await wheelOf({ ...LENS, requires: [] });
    const file = await packageFile({ wheels: [lens], requirements: NEEDS_LENS });
    await settled(file);
    await validator.inspect(file);
    const moved = path.join(path.dirname(file), 'moved.zip');
    await rename(file, moved);
    await validator.inspect(moved);
    const other = await wheelOf(LENS);
    await writeFile(moved, await buildPackage({ wheels: [other], requirements: NEEDS_LENS }));
    await expect(validator.inspect(moved)).rejects.toMatchObject({ code: 'wheels_missing' });
  });

  test('and does not let a wheel pass under narrower limits', async () => {
    const lens = await wheelOf({ ...LENS, requires: [] });
    const file = await packageFile({ wheels: [lens], requirements: NEEDS_LENS });
    await settled(file);
    await validator.inspect(file);
    const narrow = new PackageValidator({ smoke: false, limits: { maxFileBytes: 5_000_000 - 1 } });
    await expect(narrow.inspect(file)).rejects.toMatchObject({ code: 'invalid_zip' });
  });
});

describe('a wheel that is none inside is told as that wheel, with what helps,', () => {
  const foo = { name: 'foo', version: '1.0', files: { 'foo/__init__.py': 'x = 1\n'.repeat(2_000) } };
  const cases: [string, (whole: Buffer) => Buffer | string, RegExp][] = [
    ['cut off', (whole) => whole.subarray(0, -200), /no end record\. Get that wheel again/],
    ['empty', () => '', /is empty\. Get that wheel again/],
    ['a web page', () => '<!DOCTYPE html>\n<title>Log in</title>', /is a web page.*Download the wheel again/],
    [
      'a pointer of Git LFS',
      () => 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n',
      /pointer of Git LFS.*git lfs pull/,
    ],
    [
      'without its METADATA',
      () => writeZip([{ name: 'foo-1.0.dist-info/WHEEL', data: 'Wheel-Version: 1.0\n' }]),
      /has no foo-1\.0\.dist-info\/METADATA\. Build the wheel again/,
    ],
  ];
  test.each(
    cases.flatMap(([what, ...rest]) => [true, false].map((stored) => [what, stored, ...rest] as const)),
  )('%s (stored: %s)', async (_, stored, spoil, message) => {
    const { file, bytes } = await wheelOf(foo);
    const data = spoil(Buffer.from(bytes));
    const zip = await packageFile(
      writeZip([...(await packageEntries()), { name: `wheels/${file}`, data, stored }]),
    );
    await expect(validator.inspect(zip)).rejects.toMatchObject({
      code: 'invalid_zip',
      message: expect.stringMatching(message) as string,
      details: { path: zip, entry: `wheels/${file}` },
    });
    const report = await validator.validate(zip);
    expect(report.error?.message).toContain(`the wheel "wheels/${file}"`);
    expect(report.summary.failed).toBe(1);
    // The remedy, followed: the wheel as it was published.
    const mended = writeZip([...(await packageEntries()), { name: `wheels/${file}`, data: bytes, stored }]);
    await validator.inspect(await packageFile(mended));
  });

  test('but a stored wheel that was damaged with its package is a package to be copied again', async () => {
    const { file, bytes } = await wheelOf(foo);
    const zip = writeZip([
      ...(await packageEntries()),
      { name: `wheels/${file}`, data: bytes, stored: true },
    ]);
    const at = zip.lastIndexOf('foo-1.0.dist-info/METADATA', zip.indexOf('foo-1.0.dist-info/RECORD')) - 30;
    zip.writeUInt8(0, at);
    await expect(validator.inspect(await packageFile(zip))).rejects.toMatchObject({
      message: expect.stringMatching(/foo-1\.0.*is damaged.*Copy the package again/) as string,
    });
  });
});

describe('a wheel that could not be installed', () => {
  const METADATA = 'Metadata-Version: 2.1\nName: foo\nVersion: 1.0\n';
  const lacking = (record?: string, entryPoints?: string) => ({
    file: 'foo-1.0-py3-none-any.whl',
    bytes: writeZip([
      { name: 'foo-1.0.dist-info/METADATA', data: METADATA },
      {
        name: 'foo-1.0.dist-info/WHEEL',
        data: 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
      },
      ...(record === undefined ? [] : [{ name: 'foo-1.0.dist-info/RECORD', data: record }]),
      ...(entryPoints === undefined
        ? []
        : [{ name: 'foo-1.0.dist-info/entry_points.txt', data: entryPoints }]),
    ]),
  });

  test.each([
    ['has no RECORD', lacking(), /has no foo-1\.0\.dist-info\/RECORD/],
    [
      'has an entry point without a function',
      lacking('', '[console_scripts]\nfoo = foo\n'),
      /has an entry point that cannot be a script: foo = foo/,
    ],
  ])(
    'since it %s is refused where it is required, and a warning where it is not',
    async (_, wheel, message) => {
      await expect(
        validator.inspect(
          await packageFile({ wheels: [wheel], requirements: 'procvision_algorithm_sdk\nfoo\n' }),
        ),
      ).rejects.toMatchObject({ code: 'invalid_zip', message: expect.stringMatching(message) as string });
      const { warnings } = await validator.inspect(await packageFile({ wheels: [wheel] }));
      expect(warnings).toEqual([expect.stringMatching(message)]);
    },
  );

  test.each<[string, string, RegExp[]]>([
    ['a row of a file that is not there', 'foo.py,sha256=x,1\n', [/^foo-1\.0.*whl: .*foo\.py.*not there$/]],
    ['a wrong size', 'foo-1.0.dist-info/METADATA,,7\n', [/METADATA has 45 bytes, its RECORD says 7$/]],
    ['a row of byte code, which is not installed', 'foo.pyc,sha256=x,1\n', []],
    ['`./`, `/` and backslashes', '/foo-1.0.dist-info/METADATA,,45\n.\\foo-1.0.dist-info\\WHEEL,,\n', []],
    [
      'very many wrong rows',
      Array.from({ length: 9 }, (_, n) => `foo${n}.py,,\n`).join(''),
      [/foo0/, /foo1/, /foo2/, /foo3/, /foo4/, /4 more rows of its RECORD are wrong/],
    ],
  ])('%s in RECORD is a warning and no fault', async (_, record, expected) => {
    const { warnings } = await validator.inspect(
      await packageFile({ wheels: [lacking(record)], requirements: 'procvision_algorithm_sdk\nfoo\n' }),
    );
    expect(warnings).toEqual(expected.map((text) => expect.stringMatching(text) as string));
  });
});

test('many wheels that together unpack to more than is permitted are refused, and raising the limit helps', async () => {
  const wheels = await Promise.all(
    ['a', 'b', 'c'].map((name) =>
      wheelOf({ name, version: '1', files: { [`${name}.bin`]: Buffer.alloc(400_000) } }),
    ),
  );
  const file = await packageFile({ wheels });
  const limited = (maxUnpackedBytes: number) =>
    new PackageValidator({ smoke: false, limits: { maxUnpackedBytes } });
  await expect(limited(1_000_000).inspect(file)).rejects.toMatchObject({
    code: 'invalid_zip',
    message: expect.stringMatching(/its wheels together unpack to .*raise maxUnpackedBytes/) as string,
  });
  await limited(1_500_000).inspect(file);
});

test('a wheel of which the deflated stream ends early is found without unpacking anything', async () => {
  const { file, bytes } = await wheelOf(LENS);
  const packed = deflateRawSync(bytes);
  const zip = forgeZip([
    ...(await packageEntries()).map(({ name, data = '' }) => ({ name, data: Buffer.from(data) })),
    { name: `wheels/${file}`, data: Buffer.from(bytes), packed: packed.subarray(0, -50) },
  ]);
  const at = await packageFile(zip);
  await expect(validator.inspect(at)).rejects.toMatchObject({
    message: expect.stringMatching(
      /lens-1\.0.*is damaged in its compressed data.*Copy the package again/,
    ) as string,
  });
  expect(await readdir(path.dirname(at))).toEqual(['package.zip']);
});
