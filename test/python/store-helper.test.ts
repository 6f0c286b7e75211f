import { spawnSync } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { RunnerError } from '../../src/errors.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import { Turns } from '../../src/python/turns.js';
import { longPathRemedy, StoreHelper } from '../../src/python/wheels/store-helper.js';
import { WheelStore } from '../../src/python/wheels/wheel-store.js';
import { hashFile } from '../../src/store/hash-file.js';
import { buildWheel, type WheelSource, writeZip } from '../../src/testing/index.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { wheelFolder } from '../support/wheels.js';

const manager = new VenvManager();
const { path: python } = await manager.select({});

const onFault = ({ text }: { text: string }) => new RunnerError('install_failed', text);
/** Children of this process that are the helper. */
const processes = () =>
  spawnSync('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter((line) => line.includes('store_helper.py'))
    .map((line) => Number.parseInt(line, 10));

const source = (name: string): WheelSource => ({ name, version: '1', files: { [`${name}.py`]: 'X = 1\n' } });

async function stored(store: WheelStore, helper: StoreHelper, bytes: Uint8Array, name: string) {
  const file = path.join(await temporaryFolder(), `${name}-1-py3-none-any.whl`);
  await writeFile(file, bytes);
  return store.ensure({ path: file, sha256: await hashFile(file) }, { helper, turns: new Turns() });
}

test.skipIf(process.platform === 'win32')(
  'one process unpacks wheel after wheel, a damaged one among them, and ends when it is closed',
  async () => {
    const store = new WheelStore(path.join(await temporaryFolder(), 'store'));
    const helper = new StoreHelper({ python, timeoutMs: 60_000 });
    expect(processes()).toEqual([]);
    await stored(store, helper, await buildWheel(source('one')), 'one');
    const [first] = processes();
    const damaged = writeZip([
      { name: 'two.py', data: 'X = 2\n' },
      { name: 'two-1.dist-info/METADATA', data: 'Metadata-Version: 2.1\nName: two\nVersion: 1\n\n' },
      { name: 'two-1.dist-info/WHEEL', data: 'Wheel-Version: 1.0\nTag: py3-none-any\n' },
      { name: 'two-1.dist-info/RECORD', data: `two.py,sha256=${'A'.repeat(43)},6\n` },
    ]);
    await expect(stored(store, helper, damaged, 'two')).rejects.toThrow(
      /two\.py that differs from its RECORD/,
    );
    const { entry } = await stored(store, helper, await buildWheel(source('three')), 'three');
    expect(entry.name).toBe('three');
    expect(processes()).toEqual([first]);
    await helper[Symbol.asyncDispose]();
    expect(processes()).toEqual([]);
  },
);

test.skipIf(process.platform === 'win32')(
  'a helper that is killed says so at once, and says it again when it is asked again',
  async () => {
    await using helper = new StoreHelper({ python, timeoutMs: 60_000 });
    const folder = await temporaryFolder();
    await mkdir(path.join(folder, 'tree'));
    const check = { do: 'check', folder, info: 'a-1.dist-info', oddities: [] };
    expect(await helper.ask(check, { onFault })).toEqual({ sound: false });
    for (const pid of processes()) process.kill(pid, 'SIGKILL');
    for (let again = 0; again < 2; again++) {
      await expect(helper.ask(check, { onFault })).rejects.toMatchObject({
        code: 'install_failed',
        message: expect.stringContaining('could not work on the wheel store (exit SIGKILL)') as string,
      });
    }
  },
);

test('an abort ends the process in the middle of a request', async () => {
  await using helper = new StoreHelper({ python, timeoutMs: 60_000 });
  const controller = new AbortController();
  function* endless() {
    yield [];
    controller.abort();
    for (;;) yield [];
  }
  const request = {
    do: 'unpack',
    archive: '/nowhere.whl',
    folder: '/nowhere',
    info: '',
    marks: [],
    sync: false,
  };
  await expect(
    helper.ask(request, { onFault, lines: endless(), signal: controller.signal }),
  ).rejects.toMatchObject({ code: 'aborted' });
});

test('of many wheels the damaged one is named, the others end, and nothing of them is left half done', async () => {
  const names = ['alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta'];
  const folder = await wheelFolder(names.map(source), `${names.join('\n')}\nbroken\n`);
  const info = 'broken-1.dist-info';
  await writeFile(
    path.join(folder.wheels, 'broken-1-py3-none-any.whl'),
    writeZip([
      { name: 'broken.py', data: 'X = 2\n' },
      { name: `${info}/METADATA`, data: 'Metadata-Version: 2.1\nName: broken\nVersion: 1\n\n' },
      { name: `${info}/WHEEL`, data: 'Wheel-Version: 1.0\nTag: py3-none-any\n' },
      { name: `${info}/RECORD`, data: `broken.py,sha256=${'A'.repeat(43)},6\n` },
    ]),
  );
  const store = path.join(await temporaryFolder(), 'store');
  const linking = new VenvManager({ installer: 'link', wheelStore: store });
  const interpreter = await linking.select({});
  const venv = await linking.create(path.join(await temporaryFolder(), 'venv'), { interpreter });
  await expect(linking.install(venv, folder)).rejects.toMatchObject({
    code: 'install_failed',
    message: expect.stringContaining('broken-1-py3-none-any.whl') as string,
  });
  expect(await readdir(venv.sitePackages)).toEqual([]);
  expect(await readdir(path.join(store, 'building'))).toEqual([]);
  const left = await readdir(path.join(store, 'entries'), { recursive: true });
  expect(left.filter((name) => name.endsWith('.lock'))).toEqual([]);
  await writeFile(path.join(folder.root, 'requirements.txt'), `${names.join('\n')}\n`);
  const { installed } = await linking.install(venv, folder);
  expect(installed.map(({ name }) => name)).toEqual([...names].sort());
});

test('a path that a Windows without long paths has no file for is named with its length and the setting', () => {
  const long = `D:\\store\\${'a'.repeat(260)}`;
  expect(longPathRemedy('ENOENT', long, 'win32')).toMatch(/269 characters: set LongPathsEnabled to 1/);
  for (const [code, file, platform] of [
    ['ENOENT', 'D:\\store\\a', 'win32'],
    ['ENOSPC', long, 'win32'],
    ['ENOENT', long, 'linux'],
  ] as const)
    expect(longPathRemedy(code, file, platform)).toBe('');
});
