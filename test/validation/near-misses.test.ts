import { describe, expect, test } from 'vitest';
import { packageEntries, writeZip, type ZipEntry } from '../../src/testing/index.js';
import { formatReport } from '../../src/validation/report.js';
import { PackageValidator } from '../../src/validation/package-validator.js';
import { packageFile, wheelOf } from '../support/package-file.js';

const validator = new PackageValidator({ smoke: false });
const optics = await wheelOf({ name: 'optics', version: '1.0+cu118', files: { 'optics/__init__.py': '' } });
const NEEDS = 'procvision_algorithm_sdk\noptics\n';

/** A good package whose entries were changed by a person or a tool. */
async function changed(change: (entry: ZipEntry) => ZipEntry, more: ZipEntry[] = []): Promise<string> {
  const entries = await packageEntries({ wheels: [optics], requirements: NEEDS });
  return packageFile(writeZip([...entries.map(change), ...more]));
}

const renamed = (from: string | RegExp, to: string) => (entry: ZipEntry) => ({
  ...entry,
  name: entry.name.replace(from, to),
});

describe('a package that is nearly right is refused with what to rename or move:', () => {
  test.each<[string, (entry: ZipEntry) => ZipEntry, string, RegExp]>([
    [
      'Manifest.json',
      renamed('manifest.json', 'Manifest.json'),
      'manifest_missing',
      /Manifest\.json is there: rename it/,
    ],
    [
      'Wheels/',
      renamed('wheels/', 'Wheels/'),
      'wheels_missing',
      /lie in Wheels\/: name that folder wheels\//,
    ],
    [
      'Requirements.txt',
      renamed('requirements', 'Requirements'),
      'invalid_zip',
      /Requirements\.txt is there: rename/,
    ],
    [
      'one folder too many',
      (entry) => ({ ...entry, name: `outer/${entry.name}` }),
      'manifest_missing',
      /outer\/sample\/manifest\.json lies one folder too deep or more: pack what is in outer/,
    ],
    [
      'wheels in a folder of the wheels folder',
      renamed(/^wheels\/(?=.)/, 'wheels/linux/'),
      'wheels_missing',
      /move wheels\/linux\/procvision.*wheels\/linux\/optics.* there/,
    ],
    [
      '%2B in a wheel’s name',
      renamed('+', '%2B'),
      'invalid_zip',
      /rename it to optics-1\.0\+cu118-py3-none-any\.whl/,
    ],
    [
      'the second copy of a browser',
      renamed(/(optics.*)\.whl/, '$1 (1).whl'),
      'invalid_zip',
      /\(rename it to optics-1\.0\+cu118-py3-none-any\.whl\)/,
    ],
  ])('%s', async (_, change, code, message) => {
    const file = await changed(change);
    await expect(validator.inspect(file)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
    const report = await validator.validate(file);
    expect(report.checks.filter(({ result }) => result === 'FAIL')).toHaveLength(1);
    // The remedy, followed: the package as it was before the change.
    await validator.inspect(await changed((entry) => entry));
  });

  test('a zip in a zip', async () => {
    const inner = writeZip(await packageEntries());
    await expect(
      validator.inspect(await packageFile(writeZip([{ name: 'sample-v1.zip', data: inner }]))),
    ).rejects.toMatchObject({
      code: 'manifest_missing',
      message: expect.stringMatching(/another zip in it: unpack it, and give the sample-v1\.zip/) as string,
    });
    await validator.inspect(await packageFile(inner));
  });

  test.each(['utf16le', 'utf16be'])('a manifest in UTF-16 (%s)', async (form) => {
    const encoded = (text: string) => {
      const bytes = Buffer.from(`\ufeff${text}`, 'utf16le');
      return form === 'utf16be' ? bytes.swap16() : bytes;
    };
    const file = await changed((entry) =>
      entry.name.endsWith('manifest.json')
        ? { ...entry, data: encoded(Buffer.from(entry.data ?? '').toString()) }
        : entry,
    );
    const report = await validator.validate(file);
    expect(report.error).toMatchObject({
      code: 'manifest_invalid',
      message: expect.stringMatching(/is UTF-16 text: save it as UTF-8/) as string,
    });
    // The report is of the package, not of the file in it.
    expect(formatReport(report)).toMatch(/^package\.zip: FAIL/);
  });
});

test('files that macOS writes beside others are no wheels and no fault', async () => {
  const file = await changed(
    (entry) => entry,
    [{ name: `wheels/._${optics.file}`, data: Buffer.from('00051607000200004d6163', 'hex') }],
  );
  expect((await validator.inspect(file)).warnings).toEqual([]);
});

test('a wheel whose name got the ending of another archiver is a warning that says what to do', async () => {
  const file = await changed((entry) => entry, [{ name: 'wheels/tool-1.0-py3-none-any.whl.zip', data: 'x' }]);
  expect((await validator.inspect(file)).warnings).toEqual([
    expect.stringMatching(/if it is the wheel tool-1\.0-py3-none-any\.whl, rename it/),
  ]);
});

test('a requirements file that is missing leaves open what is required, and is one fault', async () => {
  const report = await validator.validate(await packageFile({ requirements: null }));
  expect(report.checks.filter(({ result }) => result === 'FAIL').map(({ name }) => name)).toEqual([
    'zip_requirements',
  ]);
  expect(report.checks.find(({ name }) => name === 'requirements_met')?.result).toBe('SKIP');
});
