import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, lstat, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { writeZip, type WheelSource } from '../../src/testing/index.js';
import { assetPath } from '../../src/assets.js';
import { isPackageFault } from '../../src/deploy/failure.js';
import type { RunnerError } from '../../src/errors.js';
import { recordHash } from '../../src/python/environments/record.js';
import type { Interpreter, Venv } from '../../src/python/types.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import { acquireLock } from '../../src/store/lock.js';
import { environmentTree, pythonsView } from '../support/environment-report.js';
import { programName, SCRIPTS_IN } from '../support/environment-places.js';
import { IS_WINDOWS, IS_WINE } from '../support/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { wheelFolder } from '../support/wheels.js';

const pip = new VenvManager();
const interpreter = await pip.select({});
// `npm run test:pythons` compares with every Python of the machine; the suite with the first.
const interpreters = process.env.PROCVISION_ALL_PYTHONS === '1' ? await pip.interpreters() : [interpreter];

const tool: WheelSource = {
  name: 'Some.Tool',
  version: '1.2',
  files: {
    'some_tool/__init__.py':
      'def main():\n    print("tool runs")\n\n\nclass Box:\n    run = staticmethod(main)\n',
    'some_tool/naïve name, with comma.txt': 'text',
    'some_tool/empty.txt': '',
  },
  scripts: { 'run-tool': 'some_tool:main', 'run.box': 'some_tool:Box.run' },
  data: {
    'scripts/by-hand': '#!python\nimport some_tool; some_tool.main()\n',
    'scripts/shell': '#!/bin/sh\necho shell\n',
    'data/etc/tool.conf': 'a = 1\n',
    'headers/tool.h': '#define TOOL\n',
    'purelib/tool_extra.py': 'EXTRA = 1\n',
    'platlib/tool_native.py': 'NATIVE = 1\n',
  },
  requires: ['helper>=1'],
};
const helper: WheelSource = {
  name: 'helper',
  version: '1.0',
  files: { 'helper.py': 'VALUE = 7\n' },
  distInfo: {
    'entry_points.txt': '[console_scripts]\nhelper = helper:run [extra]\n\n[plugins]\nP = helper\n',
    LICENSE: 'free',
  },
};
const spaces = (part: string): WheelSource => ({
  name: `ns-${part}`,
  version: '2',
  files: { [`ns/${part}/__init__.py`]: `PART = "${part}"\n` },
});
const native = ({ abi, platform }: Interpreter): WheelSource => ({
  name: 'native',
  version: '0.1.post1',
  tag: `${abi}-${abi}-${platform}`,
  build: '2',
  files: { 'native/__init__.py': '', 'native/library.so': new Uint8Array(300_000).fill(7) },
});

async function store() {
  const folder = path.join(await temporaryFolder(), 'store');
  const manager = new VenvManager({ installer: 'link', wheelStore: folder });
  const fresh = async (of = interpreter) =>
    manager.create(path.join(await temporaryFolder(), 'venv'), { interpreter: of });
  return { folder, manager, fresh };
}

const said = (program: string) => execFileSync(program, { encoding: 'utf8' }).trim();
const inode = async (venv: Venv, file: string) => (await stat(path.join(venv.sitePackages, file))).ino;

describe.each(interpreters.map((one) => [one.version, one] as const))('Python %s', (_, python) => {
  test('a linked environment is not to be told from one by pip', async () => {
    const wheels = [tool, helper, spaces('one'), spaces('two'), native(python)];
    const source = await wheelFolder(wheels, 'some-tool\nns-one\nns_two==2\nnative; python_version >= "3"\n');
    const { manager, fresh } = await store();
    const linked = await fresh(python);
    const byPip = await pip.create(path.join(await temporaryFolder(), 'venv'), { interpreter: python });
    const report = await manager.install(linked, source);
    expect(report.installer).toBe('link');
    expect(report.installed).toEqual((await pip.install(byPip, source)).installed);
    expect(await environmentTree(linked)).toEqual(await environmentTree(byPip));
    // The Python there has pip in the wheel of ensurepip alone, from which each start of it takes a minute.
    if (!IS_WINE) {
      const location = execFileSync(python.path, ['-I', '-c', 'import pip; print(pip.__path__[0])'], {
        encoding: 'utf8',
      });
      const view = pythonsView(linked, path.dirname(location.trim()));
      expect(view).toEqual(pythonsView(byPip, path.dirname(location.trim())));
      expect(view).toMatchObject({
        check: expect.stringMatching(/^No broken requirements found\.\r?\n$/) as string,
      });
    }
    for (const script of ['run-tool', 'run.box', ...(IS_WINDOWS ? [] : ['shell'])]) {
      const file = path.join(linked.dir, SCRIPTS_IN, programName(script));
      await chmod(file, 0o755); // the test's wheels give their own scripts no execute bit
      expect(said(file)).toBe(script === 'shell' ? 'shell' : 'tool runs');
    }
    await manager.verify(linked);
  });
});

describe('wheels that cannot stand beside each other', () => {
  const of = (name: string, files: Record<string, string>): WheelSource => ({ name, version: '1', files });
  const many = (folder: string) =>
    Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`${folder}/m${at}.py`, '']));

  test.each([
    ['a file after a folder', { 'place/a.txt': '' }, { place: '' }],
    ['a folder after a file', { place: '' }, { 'place/a.txt': '' }],
    ['a folder below a file', { place: '' }, { 'place/below/a.txt': '' }],
    [
      'a file of many, linked side by side',
      { place: '', ...many('one') },
      { 'place/a.txt': '', ...many('two') },
    ],
  ])('are a fault of the package, with the wheel, the place and a remedy: %s', async (_, one, two) => {
    const { manager, fresh } = await store();
    const venv = await fresh();
    // Installed from the end of the alphabet.
    const source = await wheelFolder([of('b', one), of('a', two)], 'a\nb\n');
    const failure: unknown = await manager.install(venv, source).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'install_failed',
      message: expect.stringMatching(
        /^[ab]-1-py3-none-any\.whl has the (?:file|folder) place(?:\/below)?, where another wheel has a (?:file|folder): leave one/,
      ) as string,
    });
    expect(isPackageFault(failure as RunnerError)).toBe(true);
    expect(await readdir(venv.sitePackages)).toEqual([]);
  });
});

describe('the wheel store', () => {
  test('serves the same wheels a second time without pip and with the very same files', async () => {
    const source = await wheelFolder([tool, helper], 'some_tool\n');
    const { folder, manager, fresh } = await store();
    const first = await fresh();
    await manager.install(first, source);
    const lines: string[] = [];
    const later = new VenvManager({ installer: 'link', wheelStore: folder });
    later.on('output', ({ line }) => void lines.push(line));
    const second = await fresh();
    expect((await later.install(second, source)).installer).toBe('link');
    expect(lines).toEqual([]);
    // A file system that clones gives each environment an inode of its own.
    const isLinked = (await stat(path.join(first.sitePackages, 'helper.py'))).nlink > 1;
    expect((await inode(second, 'helper.py')) === (await inode(first, 'helper.py'))).toBe(isLinked);
    expect(said(path.join(second.dir, SCRIPTS_IN, programName('run-tool')))).toBe('tool runs');
  });

  test('takes what a wheel says of itself from its entry, and from the wheel where an entry has none', async () => {
    const { folder, manager, fresh } = await store();
    const wheels = await wheelFolder([tool, helper], 'Some.Tool\n');
    await manager.install(await fresh(), wheels);
    const names = await readdir(folder, { recursive: true });
    const files = names.filter((name) => name.endsWith('entry.json')).map((name) => path.join(folder, name));
    const texts = await Promise.all(files.map((name) => readFile(name, 'utf8')));
    const file = files[texts.findIndex((text) => text.includes('Some.Tool'))] ?? '';
    const entry = JSON.parse(await readFile(file, 'utf8')) as { metadata?: { requires: string[] } };
    expect(entry.metadata?.requires).toEqual(['helper>=1']);
    const write = async (metadata: object | undefined) =>
      writeFile(file, JSON.stringify({ ...entry, metadata }));
    await write({ requires: ['absent'] });
    await expect(manager.install(await fresh(), wheels)).rejects.toMatchObject({ code: 'wheels_missing' });
    await write(undefined); // as earlier releases wrote it
    expect((await manager.install(await fresh(), wheels)).installed).toHaveLength(2);
  });

  test('asks pip again when a wheel or a requirement has changed', async () => {
    const { manager, fresh } = await store();
    const one = await wheelFolder([helper], 'helper\n');
    await manager.install(await fresh(), one);
    const other = { ...helper, files: { 'helper.py': 'VALUE = 8\n' } };
    const two = await wheelFolder([other], 'helper\n');
    const venv = await fresh();
    await manager.install(venv, two);
    expect(await readFile(path.join(venv.sitePackages, 'helper.py'), 'utf8')).toBe('VALUE = 8\n');
    const three = await wheelFolder([helper], 'helper>=3\n');
    await expect(manager.install(await fresh(), three)).rejects.toMatchObject({ code: 'wheels_missing' });
  });

  test('an installation that waits for another process to unpack is over when its own time is', async () => {
    const source = await wheelFolder([helper], 'helper\n');
    const { folder, manager, fresh } = await store();
    await manager.install(await fresh(), source);
    const [wheel = ''] = await readdir(source.wheels);
    const sha256 = createHash('sha256')
      .update(await readFile(path.join(source.wheels, wheel)))
      .digest('hex');
    const entry = path.join(folder, 'entries', sha256.slice(0, 2), sha256);
    await rm(entry, { recursive: true });
    await using _held = await acquireLock(`${entry}.lock`, { operation: 'unpack' });
    const venv = await fresh();
    const hurried = new VenvManager({ installer: 'link', wheelStore: folder, timeoutMs: 2_000 });
    await expect(hurried.install(venv, source)).rejects.toMatchObject({
      code: 'timeout',
      message: expect.stringContaining(`${venv.dir} did not end within 2000 ms`) as string,
    });
    expect(await readdir(venv.sitePackages)).toEqual([]);
  });

  // As root read-only binds nobody under Wine.
  test.skipIf(IS_WINE)(
    'keeps an algorithm that writes into its site-packages away from other environments',
    async () => {
      const source = await wheelFolder([helper], 'helper\n');
      const { manager, fresh } = await store();
      const [writer, other] = [await fresh(), await fresh()];
      await manager.install(writer, source);
      await manager.install(other, source);
      const script = path.join(writer.dir, 'algorithm.py');
      await writeFile(script, WRITER);
      // As a worker is started: root's workers give up root's right to ignore modes.
      const launched = ['-B', assetPath('worker/launch.py'), String(process.pid), script];
      // Without a host that reads its log, what it prints goes to stderr.
      const { stderr: answer } = spawnSync(writer.python, launched, { encoding: 'utf8' });
      // Windows refuses the removal of what is read-only as well.
      const outcome = IS_WINDOWS ? 'its removal too' : 'then replaced';
      expect(answer.trim()).toBe(`refused, its child too, ${outcome}`);
      expect(await readFile(path.join(writer.sitePackages, 'helper.py'), 'utf8')).toBe(
        `VALUE = ${IS_WINDOWS ? 7 : 666}\n`,
      );
      expect(await readFile(path.join(other.sitePackages, 'helper.py'), 'utf8')).toBe('VALUE = 7\n');
      await manager.verify(other);
    },
  );

  test('finds a damaged entry and builds it again', async () => {
    const source = await wheelFolder([helper], 'helper\n');
    const { folder, manager, fresh } = await store();
    const first = await fresh();
    await manager.install(first, source);
    const [stored] = (await readdir(folder, { recursive: true })).filter((name) =>
      name.endsWith(path.join('tree', 'helper.py')),
    );
    const file = path.join(folder, stored ?? '');
    await chmod(file, 0o644);
    await writeFile(file, 'VALUE = 1\n');
    const second = await fresh();
    await manager.install(second, source);
    expect(await readFile(path.join(second.sitePackages, 'helper.py'), 'utf8')).toBe('VALUE = 7\n');
    await manager.verify(second);
  });

  test('takes a file that was only touched for what it is, by its hash', async () => {
    const source = await wheelFolder([helper], 'helper\n');
    const { folder, manager, fresh } = await store();
    const first = await fresh();
    await manager.install(first, source);
    const before = await inode(first, 'helper.py');
    const now = new Date();
    await utimes(path.join(first.sitePackages, 'helper.py'), now, now);
    const second = await fresh();
    await manager.install(second, source);
    if ((await lstat(path.join(second.sitePackages, 'helper.py'))).nlink > 1) {
      expect(await inode(second, 'helper.py')).toBe(before);
    }
    expect(await readdir(path.join(folder, 'building'))).toEqual([]);
  });

  test('prunes what no environment uses, and nothing else', async () => {
    const { folder, manager, fresh } = await store();
    const [kept, gone] = [await fresh(), await fresh()];
    await manager.install(kept, await wheelFolder([helper], 'helper\n'));
    await manager.install(gone, await wheelFolder([tool, helper], 'some-tool\n'));
    await rm(gone.dir, { recursive: true });
    const report = await manager.pruneWheels({ environments: [kept.dir] });
    expect(report.removed.map(({ file }) => file)).toEqual(['Some.Tool-1.2-py3-none-any.whl']);
    expect(report.kept).toBe(1);
    expect((await readdir(folder, { recursive: true })).filter((name) => name.endsWith('some_tool'))).toEqual(
      [],
    );
    await manager.verify(kept);
  });

  test('publishes nothing of a wheel that is not as its RECORD says', async () => {
    const source = await wheelFolder([], 'helper\n');
    const info = 'helper-1.0.dist-info';
    const bytes = writeZip([
      { name: 'helper.py', data: 'VALUE = 8\n' },
      { name: `${info}/METADATA`, data: 'Metadata-Version: 2.1\nName: helper\nVersion: 1.0\n\n' },
      { name: `${info}/WHEEL`, data: 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n' },
      { name: `${info}/RECORD`, data: `helper.py,${recordHash('VALUE = 7\n')},10\n${info}/RECORD,,\n` },
    ]);
    await writeFile(path.join(source.wheels, 'helper-1.0-py3-none-any.whl'), bytes);
    const { folder, manager, fresh } = await store();
    const venv = await fresh();
    await expect(manager.install(venv, source)).rejects.toMatchObject({
      code: 'install_failed',
      message: expect.stringContaining('has a helper.py that differs from its RECORD') as string,
    });
    expect(await readdir(venv.sitePackages)).toEqual([]);
    expect(await readdir(path.join(folder, 'building'))).toEqual([]);
    expect(
      (await readdir(path.join(folder), { recursive: true })).filter((name) => name.endsWith('entry.json')),
    ).toEqual([]);
  });

  test('rejects with aborted while unpacking and leaves neither an entry nor an installation', async () => {
    const source = await wheelFolder([native(interpreter), helper], 'native\nhelper\n');
    const { folder, manager, fresh } = await store();
    const venv = await fresh();
    const controller = new AbortController();
    manager.on('progress', ({ stage }) => {
      if (stage === 'unpack') controller.abort();
    });
    await expect(manager.install(venv, { ...source, signal: controller.signal })).rejects.toMatchObject({
      code: 'aborted',
    });
    expect(await readdir(venv.sitePackages)).toEqual([]);
    expect(await readdir(path.join(folder, 'building'))).toEqual([]);
  });
});

/** Opens an installed file for writing, as an algorithm might; then replaces it, which is its own business. */
const WRITER = `
import os, helper, subprocess, sys
try:
    with open(helper.__file__, "r+") as file:
        file.write("VALUE = 666\\n")
    print("written")
except PermissionError:
    child = subprocess.run([sys.executable, "-c", "import sys; open(sys.argv[1], 'a')", helper.__file__], stderr=-3)
    print("refused, its child too" if child.returncode else "written by its child", end=", ")
    try:
        os.unlink(helper.__file__)
    except PermissionError:
        print("its removal too")
        sys.exit()
    with open(helper.__file__, "w") as file:
        file.write("VALUE = 666\\n")
    print("then replaced")
`;
