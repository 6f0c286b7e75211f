import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { BackgroundCompiler } from '../../src/deploy/install/compile.js';
import type { CompiledEvent } from '../../src/deploy/types.js';
import { packageHost } from '../support/package-host.js';

const bytecodeIn = async (folder: string) =>
  (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('.pyc'));

test('an install leaves no bytecode, unless it is asked for: then it is made once the version is registered', async () => {
  const { deployer, registry, zip } = await packageHost('link', { compileBytecode: true });
  const compiled = new Promise<CompiledEvent>((resolve) => void deployer.once('compiled', resolve));
  await deployer.install(await zip());
  const venv = registry.layout.venv('sample', '1.0.0');
  expect(await compiled).toMatchObject({ name: 'sample', version: '1.0.0' });
  expect(await bytecodeIn(venv)).toContainEqual(
    expect.stringMatching(/site-packages\/procvision_algorithm_sdk\/__pycache__\/__init__\.cpython-/),
  );
  expect(await deployer.verify('sample', '1.0.0')).toMatchObject({ intact: true });
  await deployer.uninstall('sample', '1.0.0');

  const without = await packageHost();
  await without.deployer.install(await without.zip());
  expect(await bytecodeIn(without.registry.layout.venv('sample', '1.0.0'))).toEqual([]);
});

test('a version that is removed while it is compiled goes at once', async () => {
  const { deployer, registry, zip } = await packageHost('link', { compileBytecode: true });
  await deployer.install(await zip());
  await deployer.uninstall('sample', '1.0.0');
  expect(await readdir(registry.layout.deployedRoot)).toEqual([]);
});

test('one is compiled after the other; stopping one waits for no other and leaves the rest, closing ends all', async () => {
  const begun: string[] = [];
  const compiler = new BackgroundCompiler(async ({ name }, signal) => {
    begun.push(name);
    await once(signal, 'abort');
    throw new Error('a failure that nobody waits for');
  });
  const version = (name: string) => ({ name, version: '1' });
  for (const name of ['a', 'b', 'c']) compiler.start(version(name));
  await compiler.stop(version('b'));
  await compiler.stop(version('unheard-of'));
  expect(begun).toEqual(['a']);
  await compiler.stop(version('a'));
  await expect.poll(() => begun).toEqual(['a', 'c']);
  await compiler.close();
  expect(begun).toEqual(['a', 'c']);
});
