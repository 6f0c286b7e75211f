import { expect, test } from 'vitest';
import { buildWheel, wheelFileName, type WheelSource } from '../../src/testing/index.js';
import { PackageValidator } from '../../src/validation/package-validator.js';
import { packageFile } from '../support/package-file.js';

async function withWheel(source: Partial<WheelSource>): Promise<string> {
  const wheel = { name: 'starter', version: '1.0', ...source };
  return packageFile({ wheels: [{ file: wheelFileName(wheel), bytes: await buildWheel(wheel) }] });
}

const STARTERS: [string, Partial<WheelSource>, string][] = [
  [
    'a .pth file with an import',
    { files: { 'starter.pth': 'import starter; starter.go()\n' } },
    'starter.pth',
  ],
  [
    'the same in its second line, ended by a carriage return',
    { files: { 'a.pth': './lib\rimport\tos\n' } },
    'a.pth',
  ],
  ['the same with an ending in capitals', { files: { 'A.PTH': 'import os' } }, 'A.PTH'],
  [
    'a .pth file of .data/purelib',
    { data: { 'purelib/b.pth': 'import os' } },
    'starter-1.0.data/purelib/b.pth',
  ],
  ['a .start file', { files: { 'starter.start': 'starter:go\n' } }, 'starter.start'],
];

test.each(STARTERS)('%s is named in a warning of the inspection', async (_, source, file) => {
  const { warnings, checks } = await new PackageValidator().inspect(await withWheel(source));
  const about = `${file} in starter-1.0-py3-none-any.whl`;
  expect(warnings.filter((one) => one.includes('at every start'))).toEqual([expect.stringContaining(about)]);
  expect(checks).toContainEqual(
    expect.objectContaining({ name: 'startup_code', result: 'PASS', message: about }),
  );
});

test.each(STARTERS)(
  '%s is refused where startupCode says so, before anything of the package ran',
  async (_, source, file) => {
    const validator = new PackageValidator({ startupCode: 'refuse' });
    await expect(validator.inspect(await withWheel(source))).rejects.toMatchObject({
      code: 'invalid_zip',
      message: expect.stringContaining(file) as string,
    });
  },
);

test.each<[string, Partial<WheelSource>]>([
  ['a .pth file with paths alone', { files: { 'starter.pth': './lib\nimportant\n# import os\n' } }],
  [
    'a .pth file within a package, where the interpreter does not look',
    { files: { 'starter/x.pth': 'import os' } },
  ],
])('%s is no code at start', async (_, source) => {
  const { warnings } = await new PackageValidator({ startupCode: 'refuse' }).inspect(await withWheel(source));
  expect(warnings.filter((one) => one.includes('at every start'))).toEqual([]);
});

test.each(['allow', 'refuse'] as const)(
  'a wheel with a package sitecustomize is refused for that alone where startupCode is %s',
  async (startupCode) => {
    const zip = await withWheel({ files: { 'sitecustomize/__init__.py': '' } });
    const report = await new PackageValidator({ startupCode }).validate(zip);
    const failed = report.checks.filter(({ result }) => result === 'FAIL');
    expect(failed.map(({ name }) => name)).toEqual(['wheel_contents']);
    expect(failed[0]?.message).toContain('sitecustomize/__init__.py');
  },
);
