import { RunnerError } from '../../errors.js';
import type { PackageInspection } from '../../package/types.js';
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
