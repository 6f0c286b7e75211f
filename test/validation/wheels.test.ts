import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { parseWheelName } from '../../src/package/wheel-name.js';
import { writeZip, type BuiltWheel } from '../../src/testing/index.js';
import { PackageValidator } from '../../src/validation/package-validator.js';
import { forgeZip } from '../support/forge-zip.js';
import { packageFile, wheelOf } from '../support/package-file.js';

const validator = new PackageValidator();
const METADATA = 'Metadata-Version: 2.1\nName: tool\nVersion: 1.0\n';
const WHEEL = 'Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n';
/** As Python has it: of Windows Node says more than that. */
const RELEASE = execFileSync('python3', ['-c', 'import platform; print(platform.release())'], {
  encoding: 'utf8',
}).trim();
const FILE = 'tool-1.0-py3-none-any.whl';

function wheelWith(files: Record<string, string>, file = FILE): BuiltWheel {
  return { file, bytes: writeZip(Object.entries(files).map(([name, data]) => ({ name, data }))) };
}

async function inspecting(wheels: BuiltWheel[], more: { requirements?: string; stored?: boolean } = {}) {
  return validator.inspect(await packageFile({ wheels, ...more }));
}

test('a marker of the machine holds for an inspection as for the installation: a wheel that is then required is missing', async () => {
  const requirements = `procvision_algorithm_sdk\nlens; platform_release == "${RELEASE}"\nglass; platform_release == ""\n`;
  await expect(inspecting([], { requirements })).rejects.toMatchObject({
    code: 'wheels_missing',
    details: { requirements: [`lens; platform_release == "${RELEASE}"`] },
  });
});

test.each([
  ['glass>1.0\n', '', 'glass>1.0 (there is glass-1.0.post1-py3-none-any.whl)'],
  [
    '-c limits.txt\nglass\n',
    'glass<1\n',
    'glass (limited by the constraint glass<1, there is glass-1.0.post1-py3-none-any.whl)',
  ],
  ['lens\n', '', 'lens: pack'],
])(
  'a wheel that is missing is told with other versions that are there, and what limits them: %j',
  async (asked, limits, said) => {
    const wheels = [await wheelOf({ name: 'glass', version: '1.0.post1', files: { 'glass.py': '' } })];
    const requirements = `procvision_algorithm_sdk\n${asked}`;
    const file = await packageFile({ wheels, requirements, files: { 'limits.txt': limits } });
    await expect(validator.inspect(file)).rejects.toMatchObject({
      code: 'wheels_missing',
      message: expect.stringContaining(`meets ${said}`) as string,
    });
  },
);

describe('what is named as a wheel and is none is refused before anything is installed:', () => {
  test.each([
    ['a zip without .dist-info', wheelWith({ 'tool.py': '' }), /no \.dist-info folder/],
    [
      'two .dist-info folders',
      wheelWith({
        'tool-1.0.dist-info/METADATA': METADATA,
        'tool-1.0.dist-info/WHEEL': WHEEL,
        'other-1.0.dist-info/METADATA': METADATA,
      }),
      /two \.dist-info folders, "tool-1\.0\.dist-info" and "other-1\.0\.dist-info"/,
    ],
    ['no METADATA', wheelWith({ 'tool-1.0.dist-info/WHEEL': WHEEL }), /no tool-1\.0\.dist-info\/METADATA/],
    ['no WHEEL', wheelWith({ 'tool-1.0.dist-info/METADATA': METADATA }), /no tool-1\.0\.dist-info\/WHEEL/],
    [
      'the folder of another project',
      wheelWith({ 'evil-1.0.dist-info/METADATA': METADATA, 'evil-1.0.dist-info/WHEEL': WHEEL }),
      /has "evil-1\.0\.dist-info", its file name says that it is tool/,
    ],
    [
      'METADATA of another project',
      wheelWith({
        'tool-1.0.dist-info/METADATA': METADATA.replace('tool', 'evil'),
        'tool-1.0.dist-info/WHEEL': WHEEL,
      }),
      /says it is evil, its file name that it is tool/,
    ],
    [
      'METADATA of another version',
      wheelWith({
        'tool-1.0.dist-info/METADATA': METADATA.replace('1.0', '2.0'),
        'tool-1.0.dist-info/WHEEL': WHEEL,
      }),
      /says it is version [12]\.0/,
    ],
    [
      'an entry that climbs out',
      { file: FILE, bytes: forgeZip([{ name: '../../evil.py', data: 'x' }]) },
      /".*tool-1\.0-py3-none-any\.whl".*"\.\." segment/,
    ],
    [
      'a bomb',
      {
        file: FILE,
        bytes: forgeZip([
          { name: 'zeros', packed: Buffer.alloc(9), local: { size: 2e9 }, central: { size: 2e9 } },
        ]),
      },
      /200-fold/,
    ],
    [
      'METADATA of two megabytes',
      wheelWith({
        'tool-1.0.dist-info/METADATA': METADATA + Array.from({ length: 2e5 }, (_, n) => `X: ${n}\n`).join(''),
        'tool-1.0.dist-info/WHEEL': WHEEL,
      }),
      /no more than 1048576 are read/,
    ],
  ])('%s', async (_, wheel, message) => {
    for (const stored of [true, false]) {
      await expect(inspecting([wheel], { stored })).rejects.toMatchObject({
        code: 'invalid_zip',
        message: expect.stringMatching(message) as string,
      });
    }
  });
});

test('METADATA that writes name and version in other forms is that of the wheel', async () => {
  const metadata = METADATA.replace('tool', 'Big.Tool').replace('Version: 1.0', 'Version: 1.0.0');
  const wheel = wheelWith(
    { 'big_tool-1.0.dist-info/METADATA': metadata, 'big_tool-1.0.dist-info/WHEEL': WHEEL },
    'big_tool-1.0-py3-none-any.whl',
  );
  expect((await inspecting([wheel])).wheels.map(({ name }) => name)).toContain('big-tool');
});

test('a file name that stands for 64,000 tags is not that of a wheel', () => {
  const many = Array.from({ length: 40 }, () => 'a').join('.');
  expect(parseWheelName(`x-1-${many}-${many}-${many}.whl`, 1)).toBeUndefined();
});

test('a wheel that requires a project from a URL asks for what the package does not have', async () => {
  const tool = await wheelOf({
    name: 'tool',
    version: '1.0',
    requires: [
      'base @ https://example.org/base-1.0-py3-none-any.whl',
      'win @ https://example.org/w.whl ; sys_platform == "none"',
    ],
  });
  const base = await wheelOf({ name: 'base', version: '1.0' });
  await expect(inspecting([tool, base], { requirements: 'tool\n' })).rejects.toMatchObject({
    code: 'wheels_missing',
    details: { requirements: ['base @ https://example.org/base-1.0-py3-none-any.whl'] },
  });
});

test('wheels that ask for each other a million times are judged in seconds', async () => {
  const extras = Array.from({ length: 1_000 }, (_, n) => `e${n}`);
  const tool = await wheelOf({
    name: 'tool',
    version: '1.0',
    requires: Array.from(
      { length: 3_000 },
      (_, n) => `tool[${extras.slice(n % 900, (n % 900) + 9).join(',')}]`,
    ),
  });
  const startedAt = performance.now();
  await inspecting([tool], { requirements: `tool[${extras.join(',')}]\n` });
  expect(performance.now() - startedAt).toBeLessThan(20_000);
});

describe('files that requirements include', () => {
  const inspect = async (files: Record<string, string>, requirements: string) =>
    validator.inspect(
      await packageFile({
        requirements,
        wheels: [await wheelOf({ name: 'tool', version: '1.0' })],
        extra: Object.entries(files).map(([name, data]) => ({ name: `sample/${name}`, data })),
      }),
    );

  test('constraints that would reach outside are refused with their file', async () => {
    await expect(
      inspect({ 'sub/limits.txt': '\ntool==1.0\n-f https://example.org\n' }, '-c sub/limits.txt\ntool\n'),
    ).rejects.toMatchObject({
      code: 'install_failed',
      message: expect.stringMatching(
        /sample\/sub\/limits\.txt line 3 \(-f https:\/\/example\.org\)/,
      ) as string,
    });
  });

  test('constraints that no wheel meets make a requirement unmet', async () => {
    await expect(inspect({ 'limits.txt': 'Tool<1\n' }, '-c limits.txt\ntool\n')).rejects.toMatchObject({
      code: 'wheels_missing',
      details: { requirements: ['tool'] },
    });
    await inspect({ 'limits.txt': 'tool<1; sys_platform == "none"\nother==9\n' }, '-c limits.txt\ntool\n');
  });

  test('files that include each other are read once', async () => {
    const { requirements } = await inspect(
      { 'a.txt': '-r requirements.txt\n-r a.txt\ntool\n' },
      '-r a.txt\n',
    );
    expect(requirements.map(({ name }) => name)).toEqual(['tool']);
  });

  test('a file in UTF-7 is refused', async () => {
    const text = '# coding: utf-7\n# fine +AAo---index-url https://example.org\n';
    await expect(inspect({}, text)).rejects.toMatchObject({ code: 'invalid_zip' });
  });
});

test('bills of materials and import names of a wheel are in the report', async () => {
  const wheel = wheelWith({
    'tool.py': '',
    'tool-1.0.dist-info/METADATA':
      'Metadata-Version: 2.5\nName: tool\nVersion: 1.0\nImport-Name: tool\nImport-Name: _tool ; private\n' +
      'Import-Namespace: tools\n\nImport-Name: of its description\n',
    'tool-1.0.dist-info/WHEEL': WHEEL,
    'tool-1.0.dist-info/sboms/auditwheel.cdx.json': '{}',
    'tool-1.0.dist-info/RECORD': '',
  });
  const { wheels } = await inspecting([wheel, await wheelOf({ name: 'lens', version: '1.0' })]);
  expect(wheels.find(({ name }) => name === 'tool')).toMatchObject({
    sboms: ['tool-1.0.dist-info/sboms/auditwheel.cdx.json'],
    importNames: ['tool', 'tools'],
  });
  const lens = wheels.find(({ name }) => name === 'lens');
  expect([lens?.sboms, lens?.importNames]).toEqual([undefined, undefined]);
});
