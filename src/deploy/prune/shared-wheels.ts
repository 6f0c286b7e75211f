import { readdir } from 'node:fs/promises';
import type { OperationOptions } from '../../abort.js';
import { isMissing } from '../../store/errno.js';
import { removeTree } from '../../store/remove-tree.js';
import type { Registry } from '../../registry/registry.js';
import type { PackageSteps } from '../package-steps.js';
import { exists } from '../seal/tree.js';

/**
 * Removes unpacked wheels that no deployed version uses. While anything is being deployed nothing is removed: what it
 * has not linked yet looks unused. That is then for the next time.
 *
 * @returns bytes that became free
 */
export async function tidyWheels(
  registry: Registry,
  steps: PackageSteps,
  o: OperationOptions = {},
): Promise<number> {
  if (await isBusy(registry)) return 0;
  const entries = await registry.list({}, o);
  const environments = entries.map(({ name, version }) => registry.layout.venv(name, version));
  return (await steps.tidy(environments, o)).freedBytes;
}

/**
 * Runs an install such that, when it fails, the unpacked wheels it brought go with it, and their folder too if it was
 * not there before.
 */
export async function removingWheelsOnFailure<T>(
  registry: Registry,
  steps: PackageSteps,
  install: () => Promise<T>,
): Promise<T> {
  const { wheelStore } = registry.layout;
  const wasThere = await exists(wheelStore);
  try {
    return await install();
  } catch (error) {
    // What cannot be tidied now is tidied by the next prune. The first failure is the one to report.
    await tidyWheels(registry, steps).catch(() => undefined);
    if (!wasThere && !(await isBusy(registry)) && (await registry.list()).length === 0) {
      await removeTree(wheelStore).catch(() => undefined);
    }
    throw error;
  }
}

async function isBusy({ layout }: Registry): Promise<boolean> {
  try {
    return (await readdir(layout.staging)).length > 0;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
