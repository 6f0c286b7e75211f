import { mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { Deployer, type DeployerOptions } from '../../src/deploy/deployer.js';
import { withSteps } from '../../src/deploy/given-steps.js';
import type { PackageSteps } from '../../src/deploy/package-steps.js';
import { Registry } from '../../src/registry/registry.js';
import { buildPackage, type PackageSource } from '../../src/testing/index.js';
import { plainSteps } from './plain-steps.js';
import { temporaryFolder } from './temp-folder.js';

/** Options of its deployer, and steps in place of {@link plainSteps}. */
type StoreOptions = Partial<DeployerOptions> & { steps?: PackageSteps };

/** A store with one host on it, and a folder beside it for packages; closed when the test ends. */
export interface DeployStore {
  /** Of the packages; the store is in `store` below it. */
  folder: string;
  registry: Registry;
  deployer: Deployer;
  /** Makes a small package without an SDK beside the store, and gives its path. */
  zip: (source?: PackageSource) => Promise<string>;
  /** Another host on the same store. */
  join: (options?: StoreOptions) => Promise<{ registry: Registry; deployer: Deployer }>;
  /** Every file and folder of the store with its content, logs left out. */
  content: () => Promise<Record<string, string>>;
}

/** Opens a store for tests of the store itself, in `place`: packages are unpacked and sealed, no Python runs. */
export async function deployStore(options: StoreOptions = {}, place?: string): Promise<DeployStore> {
  const folder = place ?? (await temporaryFolder());
  const root = path.join(folder, 'store');
  const join: DeployStore['join'] = async (more = {}) => {
    const registry = await Registry.open(root, { durability: 'none', pollMs: 60_000 });
    const { steps = plainSteps, ...given } = { ...options, ...more };
    const deployer = new Deployer(withSteps({ registry, ...given }, steps));
    onTestFinished(async () => {
      await deployer.close();
      await registry.close();
    });
    return { registry, deployer };
  };
  const host = await join();
  let count = 0;
  return {
    ...{ folder, ...host, join },
    zip: async (source = {}) => {
      const file = path.join(folder, `package-${(count += 1)}.zip`);
      await writeFile(file, await buildPackage({ sdk: null, ...source }));
      return file;
    },
    content: () => contentOf(root),
  };
}

async function contentOf(root: string): Promise<Record<string, string>> {
  await mkdir(root, { recursive: true });
  const content: Record<string, string> = {};
  for (const entry of await readdir(root, { withFileTypes: true, recursive: true })) {
    const full = path.join(entry.parentPath, entry.name);
    const relative = path.relative(root, full).split(path.sep).join('/');
    if (relative.startsWith('logs/')) continue;
    content[relative] = entry.isDirectory()
      ? 'folder'
      : entry.isSymbolicLink()
        ? `-> ${await readlink(full)}`
        : entry.isSocket()
          ? 'a sign of life'
          : entry.name === '.reserve'
            ? 'random bytes'
            : (await readFile(full)).toString('latin1');
  }
  return content;
}
