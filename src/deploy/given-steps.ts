import type { PackageSteps } from './package-steps.js';

const given = new WeakMap<object, PackageSteps>();

/**
 * Options whose deployer takes these steps in place of what environments and validator would do: for tests of the store
 * alone. By the object itself and not by a field of it, so that no option of a host replaces the checks.
 */
export function withSteps<T extends object>(options: T, steps: PackageSteps): T {
  given.set(options, steps);
  return options;
}

/** The steps that were given with these options. */
export function stepsGivenWith(options: object): PackageSteps | undefined {
  return given.get(options);
}
