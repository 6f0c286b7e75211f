import { compareVersions, parseVersion } from './pep440.js';
import type { Generation, Wheel } from './types.js';

const SDK_PROJECT = 'procvision-algorithm-sdk';
/** From this version on an algorithm has `execute` alone. */
const EXECUTE_ONLY_SINCE = '0.3';

/** Before it the SDK has no adapter, which a worker is started by unless it is the bundled one. */
const ADAPTER_SINCE = '0.0.6';

/** Whether workers can be started by the SDK's own adapter. */
export function hasAdapter(version: string): boolean {
  const [found, since] = [parseVersion(version), parseVersion(ADAPTER_SINCE)];
  return !found || !since || compareVersions(found, since) >= 0;
}

/** The SDK wheel that a package vendors. */
export function findSdkWheel(wheels: readonly Wheel[]): Wheel | undefined {
  return wheels.find(({ name }) => name === SDK_PROJECT);
}

/** Decided by the vendored SDK. A package that vendors none counts as phased, the stricter generation. */
export function generationOfSdk(version: string | undefined): Generation {
  const found = version === undefined ? undefined : parseVersion(version);
  const since = parseVersion(EXECUTE_ONLY_SINCE);
  return found && since && compareVersions(found, since) >= 0 ? 'execute-only' : 'phased';
}
