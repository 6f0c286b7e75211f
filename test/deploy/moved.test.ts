import { cp, readdir, rename, symlink } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Deployer } from '../../src/deploy/deployer.js';
import { INVENTORY_FILE } from '../../src/registry/inventory.js';
import { pythonEnvironment } from '../../src/process/environment.js';
import { run } from '../../src/process/run.js';
import { VERSION_MARKER } from '../../src/registry/registry-file.js';
import { Registry } from '../../src/registry/registry.js';
import { buildWheel, wheelFileName } from '../../src/testing/index.js';
import { packageHost } from '../support/package-host.js';

const tool = {
  ...{ name: 'tool', version: '1.0', scripts: { tool: 'tool:main' } },
  files: { 'tool.py': 'def main(): print("hello")\n' },
};

/** A store with one version that has a script, moved after its hosts closed it. */
async function movedStore() {
  const { registry, deployer, zip } = await packageHost();
  const wheels = [{ file: wheelFileName(tool), bytes: await buildWheel(tool) }];
  await deployer.install(await zip({ wheels, requirements: 'procvision_algorithm_sdk\ntool\n' }));
  await deployer.close();
  await registry.close();
  const moved = path.join(path.dirname(registry.layout.root), 'moved here');
  await rename(registry.layout.root, moved);
  return moved;
}

async function open(root: string) {
  const registry = await Registry.open(root, { durability: 'none', pollMs: 60_000 });
  const deployer = new Deployer({ registry });
  onTestFinished(async () => {
    await deployer.close();
    await registry.close();
  });
  const script = () =>
    run(path.join(registry.layout.venv('sample', '1.0.0'), 'bin', 'tool'), [], {
      env: { ...pythonEnvironment(), PYTHONDONTWRITEBYTECODE: '1' }, // verify() tells of byte code that is added
      timeoutMs: 30_000,
    });
  return { registry, deployer, script };
}

test('recover() puts right the environments of a store that was moved, once, and they are as sealed', async () => {
  const { deployer, script } = await open(await movedStore());
  expect(await script()).toMatchObject({ exitCode: 127 }); // it names an interpreter that is not there
  const { repaired } = await deployer.recover();
  expect(repaired).toEqual([{ name: 'sample', version: '1.0.0' }]);
  expect(await script()).toMatchObject({ exitCode: 0, stdout: 'hello\n' });
  expect(await deployer.verify('sample', '1.0.0')).toMatchObject({ intact: true, drift: [] });
  expect((await deployer.recover()).repaired).toEqual([]);
});

test('a repair that is cut off after any of its steps is finished by the next recover()', async () => {
  const root = await movedStore();
  const version = path.join('algorithms', 'deployed', 'sample', '1.0.0');
  const steps = ['registry.json', path.join(version, INVENTORY_FILE), path.join(version, VERSION_MARKER)];
  const record = (await readdir(path.join(root, version), { recursive: true })).find((file) =>
    file.endsWith('tool-1.0.dist-info/RECORD'),
  );
  steps.push(path.join(version, record ?? ''), path.join(version, 'venv', 'bin', 'tool'));
  const whole = `${root} whole`;
  const cut = `${root} cut`;
  for (const copy of [whole, cut]) await cp(root, copy, { recursive: true, verbatimSymlinks: true });
  // Repaired where the others will stand, so that they name the same place.
  await rename(root, `${root} aside`);
  await rename(whole, root);
  const first = await open(root);
  await first.deployer.recover();
  await first.deployer.close();
  await first.registry.close();
  await rename(root, whole);
  for (const count of steps.keys()) {
    await cp(cut, root, { recursive: true, verbatimSymlinks: true });
    for (const step of steps.slice(0, count + 1)) {
      await cp(path.join(whole, step), path.join(root, step), { force: true });
    }
    const { registry, deployer, script } = await open(root);
    expect((await deployer.recover()).repaired).toHaveLength(1);
    expect(await script()).toMatchObject({ stdout: 'hello\n' });
    expect(await deployer.verify('sample', '1.0.0')).toMatchObject({ drift: [] });
    await deployer.close();
    await registry.close();
    await rename(root, `${root} ${count}`);
  }
});

test('another path to the same store is no move: nothing is written', async () => {
  const root = await movedStore();
  await (await open(root)).deployer.recover();
  await symlink(root, `${root} by link`);
  const { deployer } = await open(`${root} by link`);
  expect((await deployer.recover()).repaired).toEqual([]);
  expect(await readdir(`${root} by link`)).toContain('registry.json');
});
