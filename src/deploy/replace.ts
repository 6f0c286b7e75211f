import { RunnerError } from '../errors.js';
import type { PackageInspection } from '../package/types.js';
import type { Registry } from '../registry/registry.js';
import type { RegistryEntry } from '../registry/types.js';
import { activePids } from './uninstall.js';

/**
 * Whether the version that is installed may be replaced by the package.
 *
 * @throws RunnerError `already_installed` without `force`; `version_in_use` while any live process runs it, or when it
 * is active for a product id that the package does not support
 */
export async function checkReplaceable(
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
  const users = await registry.users(name, version);
  if (users.length > 0) {
    const who = users.map(({ pid, host }) => `process ${pid} on ${host}`).join(', ');
    throw new RunnerError(
      'version_in_use',
      `${name} ${version} cannot be replaced while it runs (${who}): stop it first`,
      { details: { name, version, users } },
    );
  }
  const supported = manifest.supported_pids ?? [];
  const orphans = (await activePids(registry, name, version)).filter(
    (pid) => supported.length > 0 && !supported.includes(pid),
  );
  if (orphans.length > 0) {
    throw new RunnerError(
      'version_in_use',
      `${name} ${version} is active for ${orphans.join(', ')}, which the new package does not support: deactivate first`,
      { details: { name, version, pids: orphans } },
    );
  }
}
