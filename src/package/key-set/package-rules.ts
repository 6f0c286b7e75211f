import type { VersionRef } from '../types.js';
import { compareVersions, parseVersion } from '../pep440.js';
import type { CheckedKeySet } from './check.js';

/**
 * What a key set has against a package that one of its keys signed; undefined when nothing.
 *
 * @param keyId - the key that signed
 */
export function packageFault(
  { signers, lowestVersions, file }: CheckedKeySet,
  keyId: string,
  { name, version }: VersionRef,
): string | undefined {
  const own = signers.filter(({ keyIds }) => keyIds.includes(keyId));
  if (!own.some(({ packages }) => packages.some((pattern) => matches(pattern, name)))) {
    const who = own.map((signer) => signer.name).join(', ');
    return `is signed by ${who === '' ? keyId : who}, who may not sign packages named ${name} by the key set ${file}`;
  }
  const lowest = Object.hasOwn(lowestVersions, name) ? lowestVersions[name] : undefined;
  if (lowest === undefined) return undefined;
  const [least, given] = [parseVersion(lowest), parseVersion(version)];
  if (least && given && compareVersions(given, least) >= 0) return undefined;
  return `is version ${version}, and the key set ${file} takes ${name} from ${lowest} on: get a newer one from its maker`;
}

/** `*` stands for any letters. Not a glob: a name is not a path, and nothing else in it has a meaning. */
function matches(pattern: string, name: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\/-]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(name);
}
