import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { Deployer, type DeployerOptions } from '../../src/deploy/deployer.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import { Registry } from '../../src/registry/registry.js';
import { buildPackage, type PackageSource } from '../../src/testing/index.js';
import { PackageValidator } from '../../src/validation/package-validator.js';
import { temporaryFolder } from './temp-folder.js';

/** A deployer with real environments, which makes packages too. */
export async function packageHost(
  installer: 'pip' | 'link' = 'link',
  options: Partial<DeployerOptions> = {},
) {
  const folder = await temporaryFolder();
  const registry = await Registry.open(path.join(folder, 'store'), { durability: 'none', pollMs: 60_000 });
  // One interpreter: asking every one of this machine what it is takes a second.
  const { wheelStore } = registry.layout;
  const venvs = new VenvManager({ python: 'python3', installer, wheelStore });
  const deployer = new Deployer({ registry, venvs, validator: new PackageValidator({ venvs }), ...options });
  onTestFinished(async () => {
    await deployer.close();
    await registry.close();
  });
  const zip = async (source: PackageSource = {}) => {
    const file = path.join(folder, 'package.zip');
    await writeFile(file, await buildPackage(source));
    return file;
  };
  const files = async () =>
    (await readdir(registry.layout.root, { recursive: true }))
      .map((file) => file.split(path.sep).join('/'))
      .filter((file) => !file.startsWith('logs'))
      .sort();
  return { registry, deployer, venvs, zip, files };
}
