import { execFileSync } from 'node:child_process';
import { copyFile, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { venvRemedy } from '../../src/python/environments/environment.js';
import { FactsCache } from '../../src/python/interpreters/facts.js';
import { noPip } from '../../src/python/pip/pip.js';
import { VenvManager, type VenvManagerOptions } from '../../src/python/venv-manager.js';
import { barePython } from '../support/bare-python.js';
import { canLink } from '../support/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { wheelFolder } from '../support/wheels.js';
import { smallWheel } from '../support/installation.js';

const interpreter = await new VenvManager().select({});
const facts = await new FactsCache().get(interpreter);

const RUNS = { files: { 'b.py': 'def run():\n    print("b runs")\n' } };

// The interpreter of the tests is made of links to another one's library.
describe.runIf(canLink())('an interpreter without pip and ensurepip', () => {
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

test.runIf(canLink())('an interpreter without the module venv is told which package has it', async () => {
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
  expect(venvRemedy(old, system)).toMatch(venv);
});
