import { compareVersions, parseVersion } from './pep440.js';
import type { Generation, Wheel } from './types.js';

const SDK_PROJECT = 'procvision-algorithm-sdk';
/** From this version on an algorithm has `execute` alone. */
const EXECUTE_ONLY_SINCE = '0.3';

/** The SDK wheel that a package vendors. */
export function findSdkWheel(wheels: readonly Wheel[]): Wheel | undefined {
  return wheels.find(({ name }) => name === SDK_PROJECT);
}

/** Told by the vendored SDK; a package that vendors none is taken for phased, which asks for more. */
export function generationOfSdk(version: string | undefined): Generation {
  const found = version === undefined ? undefined : parseVersion(version);
  const since = parseVersion(EXECUTE_ONLY_SINCE);
  return found && since && compareVersions(found, since) >= 0 ? 'execute-only' : 'phased';
}
