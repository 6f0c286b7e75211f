import { execFileSync } from 'node:child_process';
import { copyFile, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { WheelSource } from '../../src/testing/index.js';
import { chooseWithPip } from '../../src/python/choice/choice.js';
import { chooseByDownload } from '../../src/python/choice/choose-by-download.js';
import { chooseWithoutPip } from '../../src/python/choice/choose-without-pip.js';
import { noVenvModule } from '../../src/python/environments/environment.js';
import { FactsCache } from '../../src/python/interpreters/facts.js';
import { installByLink } from '../../src/python/wheels/install-link.js';
import { noPip } from '../../src/python/pip/pip.js';
import { VenvManager, type VenvManagerOptions } from '../../src/python/venv-manager.js';
import { WheelStore } from '../../src/python/wheels/wheel-store.js';
import { barePython } from '../support/bare-python.js';
import { findOldPip } from '../support/old-pip.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { wheelFolder } from '../support/wheels.js';
import { hashesOf, installationOf, smallWheel } from '../support/installation.js';

const manager = new VenvManager();
const interpreter = await manager.select({});
const facts = await new FactsCache().get(interpreter);
const { abi, platform } = interpreter;

const RUNS = { files: { 'b.py': 'def run():\n    print("b runs")\n' } };

test.each<[string, WheelSource[], string]>([
  [
    'the latest version that suits',
    [smallWheel('a', '1.9'), smallWheel('a', '1.10'), smallWheel('a', '2.0')],
    'a<2\n',
  ],
  ['a final release before a later pre-release', [smallWheel('a', '1.0'), smallWheel('a', '1.1rc1')], 'a\n'],
  [
    'the more specific of two wheels',
    [smallWheel('a', '1'), smallWheel('a', '1', { tag: `${abi}-${abi}-${platform}` })],
    'a\n',
  ],
  ['the higher build', [smallWheel('a', '1', { build: '2' }), smallWheel('a', '1', { build: '10' })], 'a\n'],
  [
    'what is required by markers and extras that hold, and nothing else',
    [
      smallWheel('a', '1', {
        requires: [
          'b; python_version >= "3"',
          'c; python_version < "3"',
          'D_d>=1; extra == "more"\nProvides-Extra: more',
          'e; extra == "less"',
        ],
      }),
      ...['b', 'c', 'd.d', 'e'].map((name) => smallWheel(name, '1')),
    ],
    'a[more, unheard]\n',
  ],
  [
    'projects that require each other',
    [smallWheel('a', '1', { requires: ['b'] }), smallWheel('b', '1', { requires: ['a'] })],
    'a\n',
  ],
  ['a version within the constraints', [smallWheel('a', '1'), smallWheel('a', '2')], 'a\n-c limits.txt\n'],
])('without pip chooses %s, as pip does', async (_, sources, requirements) => {
  const given = await installationOf(sources, requirements.replace('-c limits.txt\n', ''));
  if (requirements.includes('limits')) given.requirements.constraints.push('a<2');
  const order = (files: { file: string; requested: boolean }[]) =>
    files.map(({ file, requested }) => ({ file, requested })).sort((a, b) => (a.file < b.file ? -1 : 1));
  const chosen = await chooseWithoutPip(given, await hashesOf(given));
  const byPip = order(await chooseWithPip(given));
  expect(order(chosen)).toEqual(byPip);
  // As a pip tells it that cannot report.
  expect(order(await chooseByDownload(given))).toEqual(byPip);
});

test.each<[string, WheelSource[], string, string]>([
  ['no wheel', [smallWheel('a', '1', { requires: ['gone'] })], 'a\n', 'wheels_missing'],
  ['only another version', [smallWheel('a', '1')], 'a>1\n', 'wheels_missing'],
  [
    'only a wheel for another Python',
    [smallWheel('a', '1', { tag: 'cp27-cp27m-win32' })],
    'a\n',
    'incompatible_python',
  ],
  [
    'only a wheel that asks for another Python',
    [smallWheel('a', '1', { requiresPython: '<3' })],
    'a\n',
    'incompatible_python',
  ],
  [
    'a hash that no wheel has',
    [smallWheel('a', '1')],
    `a --hash=sha256:${'0'.repeat(64)}\n`,
    'wheels_missing',
  ],
  [
    'several versions to choose between',
    [smallWheel('a', '1'), smallWheel('a', '2'), smallWheel('b', '1', { requires: ['a<2'] })],
    'a\nb\n',
    'install_failed',
  ],
])('without pip, %s is an error with its code', async (_, sources, requirements, code) => {
  const given = await installationOf(sources, requirements);
  await expect(chooseWithoutPip(given, await hashesOf(given))).rejects.toMatchObject({ code });
});

describe('an interpreter without pip and ensurepip', () => {
  const managerOf = async (options: VenvManagerOptions = {}) => {
    const python = await barePython(interpreter.path, await temporaryFolder(), ['ensurepip']);
    return new VenvManager({ python, ...options });
  };
  const make = async (venvs: VenvManager, folder: string) =>
    venvs.create(path.join(folder, 'venv'), { interpreter: await venvs.select({}) });
  const wheels = [
    smallWheel('a', '1', { requires: ['b'], scripts: { run: 'b:run' } }),
    smallWheel('b', '3', RUNS),
  ];

  test.each<[string, VenvManagerOptions]>([
    ['that asks for pip and wants no wheel store', { wheelStore: false }],
    ['that asks for links and has no wheel store', { installer: 'link' }],
  ])('installs from the wheels themselves for a manager %s', async (_, options) => {
    const venvs = await managerOf(options);
    const source = await wheelFolder(wheels, 'a\n');
    const venv = await make(venvs, source.root);
    const report = await venvs.install(venv, source);
    expect(report).toMatchObject({
      installer: 'link',
      installed: [{ name: 'a' }, { name: 'b', version: '3' }],
    });
    expect(execFileSync(path.join(venv.dir, 'bin', 'run'), { encoding: 'utf8' })).toBe('b runs\n');
    // They are this environment's own: as pip leaves them, and nothing beside them.
    expect((await stat(path.join(venv.sitePackages, 'b.py'))).mode & 0o777).toBe(0o644);
    expect(await readdir(venv.dir)).not.toContain('.wheels');
    await venvs.verify(venv);
  });

  test('links them out of the wheel store where there is one', async () => {
    const source = await wheelFolder(wheels, 'a\n');
    const venvs = await managerOf({ wheelStore: path.join(source.root, 'store') });
    const venv = await make(venvs, source.root);
    expect((await venvs.install(venv, source)).installer).toBe('link');
    await venvs.verify(venv);
  });

  test('takes pip from a wheel of it in the package', async () => {
    const source = await wheelFolder(wheels, 'a\n');
    const { location, version } = facts.pips.find((pip) => pip.location.endsWith('.whl')) ?? {};
    if (location === undefined) return; // no wheel of pip on this machine
    await copyFile(location, path.join(source.wheels, `pip-${version}-py3-none-any.whl`));
    const venvs = await managerOf();
    const lines: string[] = [];
    venvs.on('output', ({ line }) => void lines.push(line));
    const venv = await make(venvs, source.root);
    expect((await venvs.install(venv, source)).installer).toBe('pip');
    expect(lines.join('\n')).toContain('Successfully installed a-1 b-3');
  });

  test('installs what it can into an environment that has something already, or says how to get pip', async () => {
    const venvs = await managerOf();
    const source = await wheelFolder(wheels, 'a\n');
    const venv = await make(venvs, source.root);
    await venvs.install(venv, source);
    await expect(venvs.install(venv, source)).rejects.toMatchObject({
      code: 'install_failed',
      message: expect.stringMatching(/has no pip, no ensurepip.*add a wheel of pip to the package/) as string,
    });
    await venvs.verify(venv);
  });
});

test('an interpreter without the module venv is told which package has it', async () => {
  const root = await temporaryFolder();
  const venvs = new VenvManager({ python: await barePython(interpreter.path, root, ['venv', 'ensurepip']) });
  await expect(
    venvs.create(path.join(root, 'venv'), { interpreter: await venvs.select({}) }),
  ).rejects.toMatchObject({
    code: 'install_failed',
    message: expect.stringContaining('has no module venv') as string,
  });
  expect(await readdir(root)).toEqual(['bin', 'lib']);
});

test.each<[NodeJS.Platform, RegExp, RegExp]>([
  ['linux', /apt install python3-pip/, /apt install python3\.9-venv/],
  ['win32', /installer of python\.org again and choose "pip"/, /full installer of python\.org/],
  ['darwin', /\/opt\/python3 -m ensurepip/, /Python of python\.org or of Homebrew/],
  ['freebsd', /install pip for it/, /install it/],
])('on %s names the remedy for a missing pip and a missing venv', (system, pip, venv) => {
  const old = { ...interpreter, path: '/opt/python3', version: '3.9.1' };
  expect(noPip(old, system)).toMatchObject({
    code: 'install_failed',
    message: expect.stringMatching(pip) as string,
  });
  expect(noVenvModule(old, system)).toMatchObject({
    code: 'install_failed',
    message: expect.stringMatching(venv) as string,
  });
});

const oldPip = findOldPip();

test.skipIf(oldPip === undefined)('a pip that cannot report its choice has it all the same', async () => {
  const given = await installationOf(
    [smallWheel('a', '1', { requires: ['B>2'] }), smallWheel('b', '3'), smallWheel('b', '2')],
    'a\n',
  );
  const version = path.basename(oldPip ?? '').split('-')[1] ?? '';
  expect(Number(version.split('.')[0]) * 100 + Number(version.split('.')[1])).toBeLessThan(2202);
  const store = new WheelStore(path.join(await temporaryFolder(), 'store'));
  const old = { ...facts, pips: [{ location: oldPip ?? '', version }] };
  const { installed } = await installByLink({ ...given, facts: old }, store);
  expect(installed).toMatchObject([
    { name: 'a', version: '1' },
    { name: 'b', version: '3' },
  ]);
  await manager.verify(given.venv);
});
