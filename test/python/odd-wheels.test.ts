import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, lstat, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildWheel, wheelFileName, writeZip, type WheelSource } from '../../src/testing/index.js';
import { recordHash } from '../../src/python/environments/record.js';
import type { Venv } from '../../src/python/types.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import { environmentTree } from '../support/environment-report.js';
import { NEWEST_PIP, newestPip } from '../support/newest-pip.js';
import { IS_WINDOWS, IS_WINE } from '../support/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';

const INSTALLERS = ['pip', 'link'] as const;
const manager = new VenvManager();
const interpreter = await manager.select({});
const pip = /^3\.1[0-9]\./.test(interpreter.version)
  ? await newestPip(interpreter.path)
  : { reason: 'it runs on Python 3.10 and later' };

/** A wheel as a builder with habits of its own writes it: what RECORD says is given row by row. */
interface OddWheel {
  name: string;
  files: Record<string, string>;
  record: (row: (name: string) => string) => string[];
}

const sha256 = (text: string) => recordHash(text);

/** Its file name and bytes; under another name, so that many stand in one environment. */
function oddWheel({ name, files, record }: OddWheel, alias = name): [file: string, bytes: Uint8Array] {
  const renamed = (text: string) => text.replaceAll(name, alias);
  const info = `${name}-1.0.dist-info`;
  const all: Record<string, string> = {
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: 1.0\n\n`,
    [`${info}/WHEEL`]: 'Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    ...files,
  };
  const row = (file: string) => {
    const content = renamed(all[file] ?? '');
    return `${file},${sha256(content)},${Buffer.byteLength(content)}`;
  };
  const rows = [...record(row), `${info}/RECORD,,`, ''].join('\n');
  const entries = [...Object.entries(all), [`${info}/RECORD`, rows] as const];
  return [
    `${alias}-1.0-py3-none-any.whl`,
    writeZip(entries.map(([file, data]) => ({ name: renamed(file), data: renamed(data) }))),
  ];
}

async function folderOf(wheels: [file: string, bytes: Uint8Array][], requirements: string, into?: string) {
  const root = into ?? (await temporaryFolder());
  await mkdir(path.join(root, 'wheels'));
  for (const [file, bytes] of wheels) await writeFile(path.join(root, 'wheels', file), bytes);
  await writeFile(path.join(root, 'requirements.txt'), requirements);
  return root;
}

const built = async (source: WheelSource): Promise<[string, Uint8Array]> => [
  wheelFileName(source),
  await buildWheel(source),
];

/** What this installer makes of a folder of wheels. */
async function install(installer: 'pip' | 'link', root: string) {
  const venvs = new VenvManager({ installer, wheelStore: path.join(root, 'store') });
  const venv = await venvs.create(path.join(root, installer, 'venv'), { interpreter });
  const report = await venvs.install(venv, {
    wheels: path.join(root, 'wheels'),
    requirements: path.join(root, 'requirements.txt'),
  });
  await venvs.verify(venv);
  return { venv, venvs, ...report };
}

/** What pip by itself makes of it. */
async function pipsTree(root: string): Promise<Record<string, string>> {
  const venv = await manager.create(path.join(root, 'by-itself', 'venv'), { interpreter });
  const wheels = path.join(root, 'wheels');
  const [name = ''] = await readdir(path.join(root, 'wheels'));
  expect(name).not.toBe('');
  execFileSync(
    interpreter.path,
    [
      ...['-I', '-m', 'pip', '--python', venv.python, 'install', '--isolated', '--no-index', '--no-compile'],
      ...['--find-links', wheels, '-r', path.join(root, 'requirements.txt')],
    ],
    { stdio: 'pipe' },
  );
  return siteTree(venv);
}

/** Everything but what says how RECORD is to be read. */
async function siteTree(venv: Venv): Promise<Record<string, string>> {
  const { ['.procvision-records.json']: _, ...tree } = await environmentTree(venv);
  return tree;
}

const D = 'optics-1.0.dist-info';
const all = [`${D}/METADATA`, `${D}/WHEEL`, 'optics/__init__.py'];
const files = { 'optics/__init__.py': 'FOCUS = 1\n' };
const padded = (row: string) => row.replace(/,(\d+)$/, '=,$1');

const ODD: [what: string, source: OddWheel, warnings: string[]][] = [
  ['leading slashes', { name: 'optics', files, record: (row) => all.map((file) => `/${row(file)}`) }, []],
  [
    '`./` before each path',
    { name: 'optics', files, record: (row) => all.map((file) => `./${row(file)}`) },
    [],
  ],
  [
    'backslashes',
    { name: 'optics', files, record: (row) => all.map((file) => row(file).replaceAll('/', '\\')) },
    [],
  ],
  ['padded hashes', { name: 'optics', files, record: (row) => all.map((file) => padded(row(file))) }, []],
  [
    'a hash of itself',
    { name: 'optics', files, record: (row) => [...all.map(row), `${D}/RECORD,${sha256('x')},1`] },
    [],
  ],
  [
    'a wrong size',
    { name: 'optics', files, record: (row) => all.map((file) => row(file).replace(/\d+$/, '7')) },
    ['its RECORD says 7'],
  ],
  [
    'a row of a file that is not there',
    { name: 'optics', files, record: (row) => [...all.map(row), `optics/gone.py,${sha256('x')},1`] },
    ['gone.py, which is not there'],
  ],
  [
    'one command for the console and for a window, and names with dots and capitals',
    {
      name: 'optics',
      files: {
        'optics/__init__.py': 'def focus():\n    pass\n',
        [`${D}/entry_points.txt`]:
          '[console_scripts]\nzoom = optics:focus [fast]\nZoom.2 = optics:focus\n[gui_scripts]\nzoom = optics:focus\n',
      },
      record: (row) => [...all, `${D}/entry_points.txt`].map(row),
    },
    [],
  ],
  ['no row of its module', { name: 'optics', files, record: (row) => all.slice(0, 2).map(row) }, []],
  [
    'a METADATA that was changed after it was built',
    {
      name: 'optics',
      files,
      record: (row) =>
        all.map((file) => (file.endsWith('METADATA') ? `${file},${sha256('x')},1` : row(file))),
    },
    ['METADATA differs from its RECORD'],
  ],
  [
    'a packed INSTALLER and direct_url.json',
    {
      name: 'optics',
      files: { ...files, [`${D}/INSTALLER`]: 'uv\n', [`${D}/direct_url.json`]: '{"url": "file:///x"}' },
      record: (row) => [...all, `${D}/INSTALLER`, `${D}/direct_url.json`].map(row),
    },
    [],
  ],
  [
    'a file of .data/purelib over one of the root',
    {
      name: 'optics',
      files: { ...files, 'optics-1.0.data/purelib/optics/__init__.py': 'FOCUS = 2\n' },
      record: (row) => [...all, 'optics-1.0.data/purelib/optics/__init__.py'].map(row),
    },
    [],
  ],
  [
    'a script beside a console script of its name',
    {
      name: 'optics',
      files: {
        ...files,
        'optics-1.0.data/scripts/focus': '#!python\nprint(1)\n',
        [`${D}/entry_points.txt`]: '[console_scripts]\nfocus = optics:main # of the lens\n',
      },
      record: (row) => [...all, 'optics-1.0.data/scripts/focus', `${D}/entry_points.txt`].map(row),
    },
    ['focus, which is not there'],
  ],
  [
    'entry points behind a byte order mark',
    {
      name: 'optics',
      files: { ...files, [`${D}/entry_points.txt`]: '\ufeff[console_scripts]\nfocus = optics:main\n' },
      record: (row) => [...all, `${D}/entry_points.txt`].map(row),
    },
    [],
  ],
  [
    'a WHEEL in lower case and of version 1',
    {
      name: 'optics',
      files: {
        ...files,
        [`${D}/WHEEL`]: 'wheel-version: 1\ngenerator: x\nroot-is-purelib: true\ntag: py3-none-any\n',
      },
      record: (row) => all.map(row),
    },
    [],
  ],
];

// The Python of the Windows under Wine has no pip to compare with, here and below.
describe.skipIf(IS_WINE)(
  'installed by both installers as pip does it, intact, and what is wrong is told:',
  () => {
    const aliasOf = (index: number) => `optics${String(index).padStart(2, '0')}`;
    let root = '';
    let expected: Record<string, string>;
    const done: { installer: string; tree: Record<string, string>; warnings: string[] }[] = [];

    beforeAll(async () => {
      const wheels = ODD.map(([, source], index) => oddWheel(source, aliasOf(index)));
      root = await mkdtemp(path.join(os.tmpdir(), 'pv odd '));
      await folderOf(wheels, ODD.map((_, index) => `${aliasOf(index)}\n`).join(''), root);
      expected = await pipsTree(root);
      for (const installer of INSTALLERS) {
        const { venv, warnings } = await install(installer, root);
        done.push({ installer, tree: await siteTree(venv), warnings });
      }
    }, 120_000);

    afterAll(() => rm(root, { recursive: true, force: true }));

    test('nothing beside the wheels is installed', () => {
      for (const { tree } of done) expect(Object.keys(tree)).toEqual(Object.keys(expected));
    });

    test.each(ODD.map(([what, , warnings], index) => [what, aliasOf(index), warnings] as const))(
      'a wheel with %s',
      (_, alias, warnings) => {
        const own = (tree: Record<string, string>) =>
          Object.entries(tree).filter(([file]) => file.includes(alias) || file.endsWith('/focus'));
        for (const { tree, ...one } of done) {
          expect(own(tree)).toEqual(own(expected));
          const warned = one.warnings.filter((warning) => warning.includes(alias));
          expect(warned).toHaveLength(
            warnings.length === 0 ? 0 : warnings[0]?.includes('says 7') ? 3 : warnings.length,
          );
          for (const warning of warnings) {
            expect(warned.join('\n')).toContain(warning);
            expect(warned[0]).toContain(`${alias}-1.0-py3-none-any.whl`);
          }
        }
      },
    );
  },
);

test.each(INSTALLERS)(
  '%s refuses a wheel whose code differs from its RECORD, and names wheel and row',
  async (installer) => {
    const source = {
      ...{ name: 'optics', files },
      record: (row: (name: string) => string) =>
        all.map((file) => (file.endsWith('.py') ? `${file},${sha256('x')},1` : row(file))),
    };
    const root = await folderOf([oddWheel(source)], 'optics\n');
    await expect(install(installer, root)).rejects.toMatchObject({
      code: 'install_failed',
      message: expect.stringMatching(
        /optics-1\.0-py3.*optics\/__init__\.py.*differs from its RECORD/s,
      ) as string,
    });
  },
);

describe('what pip refuses for its description', () => {
  const points = (text: string) => ({ ...files, [`${D}/entry_points.txt`]: text });
  const REFUSED: [what: string, files: Record<string, string | Buffer>, says: RegExp][] = [
    [
      'METADATA in Latin-1',
      {
        ...files,
        [`${D}/METADATA`]: Buffer.from(
          'Metadata-Version: 2.1\nName: optics\nVersion: 1.0\nAuthor: Müller\n',
          'latin1',
        ),
      },
      /METADATA.*not UTF-8/,
    ],
    [
      'entry points in Latin-1',
      {
        ...files,
        [`${D}/entry_points.txt`]: Buffer.from('# für\n[console_scripts]\na = optics:f\n', 'latin1'),
      },
      /entry_points\.txt.*not UTF-8/,
    ],
    ['a colon in place of the equals sign', points('[console_scripts]\na : K.f\n'), /none of.*a : K\.f/],
    ['a comment by a semicolon', points('[console_scripts]\n;\na = optics:f\n'), /none of.*: ;/],
    ['a plug-in without a value', points('[plugins]\nzoom\n'), /none of.*: zoom/],
    ['blanks around the colon', points('[console_scripts]\na = optics : f\n'), /cannot be a script/],
  ];
  const wheelOf = (content: Record<string, string | Buffer>) => {
    const listed = { ...content, [`${D}/RECORD`]: '' };
    const base = { [`${D}/METADATA`]: 'Metadata-Version: 2.1\nName: optics\nVersion: 1.0\n\n' };
    const wheel = { [`${D}/WHEEL`]: 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n' };
    return writeZip(Object.entries({ ...base, ...wheel, ...listed }).map(([name, data]) => ({ name, data })));
  };

  test.each(REFUSED)('%s: the linking installer refuses it and leaves nothing', async (_, content, says) => {
    const root = await folderOf([['optics-1.0-py3-none-any.whl', wheelOf(content)]], 'optics\n');
    const venvs = new VenvManager({ installer: 'link', wheelStore: path.join(root, 'store') });
    const venv = await venvs.create(path.join(root, 'venv'), { interpreter });
    const from = { wheels: path.join(root, 'wheels'), requirements: path.join(root, 'requirements.txt') };
    const failure = await venvs.install(venv, from).then(
      () => undefined,
      (error: unknown) => (error as Error).message,
    );
    expect(failure).toMatch(says);
    expect(failure).toMatch(/optics-1\.0-py3-none-any\.whl/);
    expect(await readdir(venv.sitePackages)).toEqual([]);
  });

  test.skipIf('reason' in pip)(`pip ${NEWEST_PIP} refuses each of them, too`, async () => {
    if ('reason' in pip) return;
    const root = await temporaryFolder();
    const asked = await Promise.all(
      REFUSED.map(async ([, content], index) => {
        const file = path.join(root, String(index), 'optics-1.0-py3-none-any.whl');
        await mkdir(path.dirname(file));
        await writeFile(file, wheelOf(content));
        return [file, path.join(root, `${index} target`)];
      }),
    );
    const program =
      'import json, sys; from pip._internal.cli.main import main\n' +
      'print(json.dumps([main(["-qqq", "install", "--no-index", "--no-deps", "--target", to, file]) for file, to in json.loads(sys.argv[1])]))';
    const env = { ...process.env, PYTHONPATH: pip.folder, PYTHONDONTWRITEBYTECODE: '1' };
    const said = execFileSync(interpreter.path, ['-c', program, JSON.stringify(asked)], {
      env,
      stdio: 'pipe',
    });
    expect(JSON.parse(said.toString())).not.toContain(0);
    expect(JSON.parse(said.toString())).toHaveLength(REFUSED.length);
  });
});

test
  .skipIf(IS_WINE)
  .each([['lens-full\nlens-headless\n'], ['lens-headless\nlens-full\n'], ['lens-needs\nlens-full\n']])(
  'of two wheels that own one file the one wins that wins with pip: %j',
  async (requirements) => {
    const kind = (name: string, text: string, requires: string[] = []) =>
      built({ name, version: '1.0', files: { 'lens/kind.py': `KIND = "${text}"\n` }, requires });
    const root = await folderOf(
      [
        await kind('lens_full', 'full with windows'),
        await kind('lens_headless', 'headless'),
        await kind('lens_needs', 'needs', ['lens-full']),
      ],
      requirements,
    );
    const expected = await pipsTree(root);
    for (const installer of INSTALLERS) {
      const { venv, warnings } = await install(installer, root);
      expect(await siteTree(venv)).toEqual(expected);
      expect(warnings).toMatchObject([
        expect.stringMatching(/lens\/kind\.py is in lens_.*whl and in lens_.*whl/),
      ]);
    }
  },
);

describe.each(INSTALLERS)('with installer %s', (installer) => {
  test('no byte code of a wheel is installed, and RECORD does not list it', async () => {
    const source: WheelSource = {
      name: 'optics',
      version: '1.0',
      files: {
        'optics/__init__.py': 'FOCUS = 1\n',
        'optics/__pycache__/__init__.cpython-311.pyc': 'byte code',
        'optics/alone.pyc': 'byte code',
      },
    };
    const root = await folderOf([await built(source)], 'optics\n');
    const { venv } = await install(installer, root);
    expect(await readdir(path.join(venv.sitePackages, 'optics'))).toEqual(['__init__.py']);
    const record = await readFile(path.join(venv.sitePackages, 'optics-1.0.dist-info', 'RECORD'), 'utf8');
    expect(record).not.toContain('.pyc');
  });

  test.skipIf(IS_WINDOWS)(
    'a script of a wheel with `#!python` starts through the shell in an environment whose path has a space',
    async () => {
      const source: WheelSource = {
        ...{ name: 'optics', version: '1.0', files: { 'optics.py': '' } },
        data: { 'scripts/focus': '#!python\nimport optics; print("focussed")\n' },
      };
      const root = path.join(await folderOf([await built(source)], 'optics\n'), 'with a space');
      await mkdir(root);
      await cp(path.join(root, '..', 'wheels'), path.join(root, 'wheels'), { recursive: true });
      await cp(path.join(root, '..', 'requirements.txt'), path.join(root, 'requirements.txt'));
      const { venv } = await install(installer, root);
      const said = execFileSync('/bin/sh', [path.join(path.dirname(venv.python), 'focus')], {
        encoding: 'utf8',
      });
      expect(said).toBe('focussed\n');
    },
  );
});

test.skipIf(IS_WINE).each(INSTALLERS)(
  '%s makes no program of an entry that has the right to be run and is not marked as a file, as pip',
  async (installer) => {
    const [file, bytes] = oddWheel({ name: 'optics', files, record: (row) => all.map(row) });
    const marked = Buffer.from([0, 0, 0xa4, 0x81]); // 0100644 in the upper half
    const central = Buffer.from(bytes);
    for (let at = central.indexOf(marked); at !== -1; at = central.indexOf(marked, at + 1)) {
      central.writeUInt32LE((0o777 << 16) >>> 0, at);
    }
    const root = await folderOf([[file, central]], 'optics\n');
    const { venv } = await install(installer, root);
    expect((await lstat(path.join(venv.sitePackages, 'optics', '__init__.py'))).mode & 0o111).toBe(0);
    expect(await siteTree(venv)).toEqual(await pipsTree(root));
  },
);

test('files of models get a copy of their own where others are linked', async () => {
  const source: WheelSource = {
    name: 'optics',
    version: '1.0',
    files: {
      'optics/__init__.py': '',
      'optics/net.onnx': 'graph',
      'optics/net.onnx.data': 'weights',
      'optics/weights.data': 'weights',
      'optics/other/table.data': 'no weights',
      'optics/Net[1].BIN': 'weights',
      'optics/net1.bin.txt': 'no weights',
    },
  };
  const root = await folderOf([await built(source)], 'optics\n');
  const namesIn = async (venv: Venv, file: string) =>
    (await lstat(path.join(venv.sitePackages, 'optics', file))).nlink;
  const { venv } = await install('link', root);
  const shared = await namesIn(venv, '__init__.py');
  for (const file of ['net.onnx', 'net.onnx.data', 'weights.data']) expect(await namesIn(venv, file)).toBe(1);
  for (const file of ['other/table.data', 'Net[1].BIN']) expect(await namesIn(venv, file)).toBe(shared);
  // And those that a host names.
  const venvs = new VenvManager({
    ...{ installer: 'link', wheelStore: path.join(root, 'store'), ownFiles: ['net[1].b?n', '*.PB'] },
  });
  const other = await venvs.create(path.join(root, 'other', 'venv'), { interpreter });
  await venvs.install(other, {
    wheels: path.join(root, 'wheels'),
    requirements: path.join(root, 'requirements.txt'),
  });
  expect(await namesIn(other, 'Net[1].BIN')).toBe(1);
  const linked = await namesIn(other, '__init__.py');
  for (const file of ['other/table.data', 'net1.bin.txt']) expect(await namesIn(other, file)).toBe(linked);
});

test('an entry whose local header names another file ends the installation, whichever file it is', async () => {
  const [file, honest] = oddWheel({ name: 'optics', files, record: (row) => all.map(row) });
  const bytes = Buffer.from(honest);
  // The first is in the header, the second in the directory.
  bytes.write('optics/__imit__.py', bytes.indexOf('optics/__init__.py'), 'latin1');
  const root = await folderOf([[file, bytes]], 'optics\n');
  const venvs = new VenvManager({ installer: 'link', wheelStore: path.join(root, 'store') });
  const venv = await venvs.create(path.join(root, 'venv'), { interpreter });
  const from = { wheels: path.join(root, 'wheels'), requirements: path.join(root, 'requirements.txt') };
  await expect(venvs.install(venv, from)).rejects.toMatchObject({
    code: 'invalid_zip',
    message: expect.stringMatching(/optics\/__init__\.py.*another name in its local header/s) as string,
  });
  expect(await readdir(venv.sitePackages)).toEqual([]);
});

test.each([['weights/*.bin'], ['a\\b'], ['']])(
  'ownFiles [%j] is refused: it names files without folders',
  (name) => {
    expect(() => new VenvManager({ ownFiles: [name] })).toThrow(/ownFiles must be a list of names of files/);
  },
);

test('what was changed after the installation is told, also where RECORD was wrong before', async () => {
  const source = {
    ...{ name: 'optics', files },
    record: (row: (name: string) => string) =>
      all.map((file) => (file.endsWith('METADATA') ? `${file},${sha256('x')},1` : row(file))),
  };
  const root = await folderOf([oddWheel(source)], 'optics\n');
  const { venv, venvs } = await install('pip', root);
  await writeFile(path.join(venv.sitePackages, D, 'METADATA'), createHash('md5').update('x').digest('hex'));
  await expect(venvs.verify(venv)).rejects.toMatchObject({ code: 'install_failed' });
});
