import { execFileSync, spawnSync } from 'node:child_process';
import { lstatSync } from 'node:fs';
import { readdir, readFile, rename, symlink } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Deployer } from '../../src/deploy/deployer.js';
import { pythonEnvironment } from '../../src/process/environment.js';
import { run } from '../../src/process/run.js';
import { Registry } from '../../src/registry/registry.js';
import { buildWheel, wheelFileName } from '../../src/testing/index.js';
import { programName, SCRIPTS_IN } from '../support/environment-places.js';
import { packageHost } from '../support/package-host.js';
import { IS_WINDOWS } from '../support/platform.js';

// On Windows scripts are started by programs.
const hasBash = !IS_WINDOWS && spawnSync('bash', ['-c', 'exit 0']).status === 0;
const tool = {
  ...{ name: 'tool', version: '1.0', scripts: { tool: 'tool:main' } },
  files: { 'tool.py': 'def main(): print("hello")\n' },
  data: { 'scripts/of-data': '#!python\nprint("hello from data")\n' },
};

describe.each(['link', 'pip'] as const)('a store whose versions were installed by %s, moved', (installer) => {
  /** With one version that has scripts, moved after its hosts closed it. */
  async function movedStore() {
    const { registry, deployer, zip } = await packageHost(installer);
    const wheels = [{ file: wheelFileName(tool), bytes: await buildWheel(tool) }];
    await deployer.install(await zip({ wheels, requirements: 'procvision_algorithm_sdk\ntool\n' }));
    await deployer.close();
    await registry.close();
    const from = registry.layout.root;
    const root = path.join(path.dirname(from), 'moved here');
    await rename(from, root);
    return { from, root, bin: path.join(root, 'algorithms/deployed/sample/1.0.0/venv', SCRIPTS_IN) };
  }

  const call = (file: string) =>
    run(file, [], {
      env: { ...pythonEnvironment(), PYTHONDONTWRITEBYTECODE: '1' }, // verify() tells of byte code that is added
      timeoutMs: 30_000,
    });

  test('has scripts that run at once, by links too, and is as sealed: recover() writes nothing', async () => {
    const { from, root, bin } = await movedStore();
    const said = (await call(path.join(bin, programName('tool')))) as { stdout: string };
    expect(said).toMatchObject({ exitCode: 0 });
    expect(said.stdout.trimEnd()).toBe('hello');
    if (!IS_WINDOWS) {
      const link = path.join(root, '..', 'a link');
      await symlink(path.join(bin, 'tool'), link);
      expect(await call(link)).toMatchObject({ stdout: 'hello\n' });
      const ofData = execFileSync('/bin/sh', [path.join(bin, 'of-data')], { encoding: 'utf8' });
      expect(ofData).toBe('hello from data\n');
    }
    const times = async () =>
      (await readdir(root, { recursive: true })).sort().map((name) => {
        const { mtimeNs } = lstatSync(path.join(root, name), { bigint: true });
        return `${name} ${mtimeNs}`;
      });
    await using registry = await Registry.open(root, { durability: 'none', pollMs: 60_000 });
    const deployer = new Deployer({ registry });
    onTestFinished(() => deployer.close());
    const before = (await times()).filter((line) => line.includes('deployed'));
    expect(await deployer.recover()).toMatchObject({ recovered: [], skipped: [] });
    expect((await times()).filter((line) => line.includes('deployed'))).toEqual(before);
    expect(await deployer.verify('sample', '1.0.0')).toMatchObject({ intact: true, drift: [] });
    for (const file of (await readdir(path.dirname(bin), { recursive: true })).filter(
      (name) => !name.includes('__pycache__') && lstatSync(path.join(bin, '..', name)).isFile(),
    )) {
      const text = await readFile(path.join(bin, '..', file), 'latin1');
      expect(text.includes(from), `${file} names the place where it was made`).toBe(false);
    }
  });

  test.skipIf(!hasBash)('is activated from bash as where it is now', async () => {
    const { bin } = await movedStore();
    const script = `. "$1" && echo "$VIRTUAL_ENV" && command -v tool`;
    const said = execFileSync('bash', ['-c', script, 'bash', path.join(bin, 'activate')], {
      encoding: 'utf8',
    });
    expect(said.trim().split('\n')).toEqual([path.dirname(bin), path.join(bin, 'tool')]);
  });
});
