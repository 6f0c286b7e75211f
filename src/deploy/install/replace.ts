import { stat } from 'node:fs/promises';
import path from 'node:path';
import { RunnerError } from '../../errors.js';
import { foldName } from '../../package/archive/name-tree.js';
import type { PackageInspection, VersionRef } from '../../package/types.js';
import { checkReplaceable } from '../../registry/mappings.js';
import type { Registry } from '../../registry/registry.js';
import type { RegistryEntry } from '../../registry/types.js';

/**
 * Refuses early what the registry would refuse at the commit, before the package is unpacked.
 *
 * @throws RunnerError `already_installed` without `force`; `version_in_use` while any live process runs it, or when it
 * is active for a product id that the package does not support
 */
export async function checkMayReplace(
  registry: Registry,
  { name, version }: RegistryEntry,
  { manifest }: PackageInspection,
  force: boolean,
): Promise<void> {
  if (!force) {
    throw new RunnerError(
      'already_installed',
      `${name} ${version} is installed already: pass force to replace it, or give the package another version`,
      { details: { name, version } },
    );
  }
  const active = await registry.active();
  const replacement = { name, version, supported_pids: manifest.supported_pids ?? [] };
  checkReplaceable({ active }, replacement, await registry.users(name, version));
}

/**
 * Refuses a version that another spelling keeps from a folder of its own: where the file system folds case (Windows, macOS),
 * `Board` is in the place of `board`, which would be moved away although the registry lists it.
 *
 * @throws RunnerError `install_failed` naming the other version and the remedy
 */
export async function checkOwnPlace(registry: Registry, own: VersionRef): Promise<void> {
  const { layout } = registry;
  for (const other of await registry.list()) {
    const isOneName = other.name === own.name;
    if (isOneName && other.version === own.version) continue;
    const [mine, theirs] = isOneName ? [own.version, other.version] : [own.name, other.name];
    if (foldName(mine) !== foldName(theirs)) continue;
    const [there, here] = [other, own].map(({ name, version }) => {
      const folder = layout.deployed(name, version);
      return isOneName ? folder : path.dirname(folder);
    });
    if (!(await isOneFolder(here, there))) continue;
    throw new RunnerError(
      'install_failed',
      `${own.name} ${own.version} cannot be installed beside ${other.name} ${other.version}: the file system of ` +
        `${layout.deployedRoot} does not tell ${JSON.stringify(mine)} from ${JSON.stringify(theirs)}. Pack it as ` +
        `${JSON.stringify(theirs)}${isOneName ? ', or under another version' : ''}, or uninstall ${other.name} ${other.version} first`,
      { details: { name: own.name, version: own.version, path: there } },
    );
  }
}

async function isOneFolder(here = '', there = ''): Promise<boolean> {
  const [a, b] = await Promise.all(
    [here, there].map((folder) => stat(folder, { bigint: true }).catch(() => undefined)),
  );
  return a !== undefined && a.ino === b?.ino && a.dev === b.dev;
}
