import { isSame } from './mappings.js';
import type { RegistryEntry } from './types.js';

/** Differs for two deployments of the same version. */
export function deploymentOf(entry: RegistryEntry | undefined): string | undefined {
  return entry?.deployment_id ?? entry?.created_at;
}

/** Whether both are of one deployment of a version: not of two packages that were deployed under one name. */
export function isSameDeployment(one: RegistryEntry, listed: RegistryEntry | undefined): boolean {
  if (one === listed) return true;
  return listed !== undefined && isSame(one, listed) && deploymentOf(one) === deploymentOf(listed);
}
