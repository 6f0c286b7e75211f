import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { WheelSource } from '../../src/testing/index.js';
import { chooseWithPip } from '../../src/python/choice.js';
import { chooseWithoutPip } from '../../src/python/choose-without-pip.js';
import { FactsCache } from '../../src/python/facts.js';
import { FileHashes } from '../../src/python/file-hashes.js';
import { installByLink } from '../../src/python/install-link.js';
import { installWithPip, type Installation } from '../../src/python/install-pip.js';
import { listWheels } from '../../src/python/pip.js';
import { readRequirements } from '../../src/python/requirements-file.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import { WheelStore } from '../../src/python/wheel-store.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { wheelFolder } from '../support/wheels.js';

const manager = new VenvManager();
const interpreter = await manager.select({});
const facts = await new FactsCache().get(interpreter);
const { abi, platform } = interpreter;

async function installation(sources: readonly WheelSource[], requirements: string): Promise<Installation> {
  const folder = await wheelFolder(sources, requirements);
  return {
    venv: await manager.create(path.join(folder.root, 'venv'), { interpreter }),
    facts,
    wheelsFolder: folder.wheels,
    wheels: await listWheels(folder.wheels),
    requirements: await readRequirements(folder.requirements),
    timeoutMs: 60_000,
    onLine: () => undefined,
    onProgress: () => undefined,
  };
}

async function hashesOf({ wheels, wheelsFolder }: Installation): Promise<Map<string, string>> {
  const hashes = new FileHashes(path.join(wheelsFolder, 'hashes.json'));
  return new Map(
    await Promise.all(
      wheels.map(async ({ file }) => [file, await hashes.get(path.join(wheelsFolder, file))] as const),
    ),
  );
}

const one = (name: string, version: string, more: Partial<WheelSource> = {}): WheelSource => ({
  name,
  version,
  files: { [`${name}.py`]: `VERSION = "${version}"\n` },
  ...more,
});

test.each<[string, WheelSource[], string]>([
  ['the latest version that suits', [one('a', '1.9'), one('a', '1.10'), one('a', '2.0')], 'a<2\n'],
  ['a final release before a later pre-release', [one('a', '1.0'), one('a', '1.1rc1')], 'a\n'],
  [
    'the more specific of two wheels',
    [one('a', '1'), one('a', '1', { tag: `${abi}-${abi}-${platform}` })],
    'a\n',
  ],
  ['the higher build', [one('a', '1', { build: '2' }), one('a', '1', { build: '10' })], 'a\n'],
  [
    'what is required by markers and extras that hold, and nothing else',
    [
      one('a', '1', {
        requires: [
          'b; python_version >= "3"',
          'c; python_version < "3"',
          'D_d>=1; extra == "more"\nProvides-Extra: more',
          'e; extra == "less"',
        ],
      }),
      ...['b', 'c', 'd.d', 'e'].map((name) => one(name, '1')),
    ],
    'a[more, unheard]\n',
  ],
  [
    'projects that require each other',
    [one('a', '1', { requires: ['b'] }), one('b', '1', { requires: ['a'] })],
    'a\n',
  ],
  ['a version within the constraints', [one('a', '1'), one('a', '2')], 'a\n-c limits.txt\n'],
])('without pip chooses %s, as pip does', async (_, sources, requirements) => {
  const given = await installation(sources, requirements.replace('-c limits.txt\n', ''));
  if (requirements.includes('limits')) given.requirements.constraints.push('a<2');
  const order = (files: { file: string; requested: boolean }[]) =>
    files.map(({ file, requested }) => ({ file, requested })).sort((a, b) => (a.file < b.file ? -1 : 1));
  const chosen = await chooseWithoutPip(given, await hashesOf(given));
  expect(order(chosen)).toEqual(order(await chooseWithPip(given)));
});

test.each<[string, WheelSource[], string, string]>([
  ['no wheel', [one('a', '1', { requires: ['gone'] })], 'a\n', 'wheels_missing'],
  ['only another version', [one('a', '1')], 'a>1\n', 'wheels_missing'],
  [
    'only a wheel for another Python',
    [one('a', '1', { tag: 'cp27-cp27m-win32' })],
    'a\n',
    'incompatible_python',
  ],
  [
    'only a wheel that asks for another Python',
    [one('a', '1', { requiresPython: '<3' })],
    'a\n',
    'incompatible_python',
  ],
  ['a hash that no wheel has', [one('a', '1')], `a --hash=sha256:${'0'.repeat(64)}\n`, 'wheels_missing'],
  [
    'several versions to choose between',
    [one('a', '1'), one('a', '2'), one('b', '1', { requires: ['a<2'] })],
    'a\nb\n',
    'install_failed',
  ],
])('without pip, %s is an error with its code', async (_, sources, requirements, code) => {
  const given = await installation(sources, requirements);
  await expect(chooseWithoutPip(given, await hashesOf(given))).rejects.toMatchObject({ code });
});

test('an interpreter without pip installs by link', async () => {
  const given = await installation([one('a', '1', { requires: ['b'] }), one('b', '3')], 'a\n');
  const store = new WheelStore(path.join(await temporaryFolder(), 'store'));
  const installed = await installByLink({ ...given, facts: { ...facts, pips: [] } }, store);
  expect(installed).toMatchObject([{ name: 'a' }, { name: 'b', version: '3' }]);
  const answer = execFileSync(given.venv.python, ['-I', '-c', 'import b; print(b.VERSION)'], {
    encoding: 'utf8',
  });
  expect(answer.trim()).toBe('3');
  await manager.verify(given.venv);
});

test('an interpreter without pip and without a store is told what to do', async () => {
  const given = await installation([one('a', '1')], 'a\n');
  await expect(installWithPip({ ...given, facts: { ...facts, pips: [] } })).rejects.toMatchObject({
    code: 'install_failed',
    message: expect.stringMatching(/has no pip, no ensurepip.*add a wheel of pip to the package/) as string,
  });
});
