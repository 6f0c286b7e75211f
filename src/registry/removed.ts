import type { ProcessIdentity } from '../process/identity.js';
import { checkReplaceable, isSame } from './mappings.js';
import { checkParamsStay } from './params.js';
import type { RegistryContent } from './registry-file.js';
import type { RegistryEntry } from './types.js';

/** Far more packages than lie in any `zips/`; the oldest go. */
const MOST = 1_000;

/**
 * Lists a version, in place of one of its name and version: last, as the newest there is.
 *
 * @param users - who uses the old one; given where its files go too, which is refused while it is needed
 * @throws RunnerError `version_in_use`
 */
export async function enlist(
  content: RegistryContent,
  entry: RegistryEntry,
  users: (() => Promise<readonly ProcessIdentity[]>) | undefined,
): Promise<void> {
  const replaced = content.packages.find((known) => isSame(known, entry));
  if (replaced && users) {
    checkReplaceable(content, entry, await users());
    checkParamsStay(entry, content.active);
  }
  content.packages = content.packages.filter((known) => known !== replaced);
  content.packages.push(structuredClone(entry));
  const removed = removedIn(content).filter((sha256) => sha256 !== entry.sha256);
  keep(content, replaced?.sha256 === entry.sha256 ? removed : withPackage(removed, replaced));
}

/**
 * Takes a version off the list. Its package, which may still lie in `zips/`, is remembered: a watched folder would deploy
 * it again at once, and with a retention rule that prunes by itself the two would go on without end.
 */
export function delist(content: RegistryContent, entry: RegistryEntry): void {
  content.packages = content.packages.filter((known) => known !== entry);
  keep(content, withPackage(removedIn(content), entry));
}

/** Whether the version of a package was removed, or replaced, and the package was not deployed again since. */
export function wasRemoved(content: Readonly<RegistryContent>, sha256: string): boolean {
  return removedIn(content).includes(sha256);
}

function withPackage(removed: string[], entry: RegistryEntry | undefined): string[] {
  const { sha256 } = entry ?? {};
  return sha256 === undefined ? removed : [...removed.filter((one) => one !== sha256), sha256];
}

function keep(content: RegistryContent, removed: string[]): void {
  if (removed.length > 0) content.removed_packages = removed.slice(-MOST);
  else delete content.removed_packages;
}

/** SHA-256 (hex) of packages, those removed last at the end. */
function removedIn({ removed_packages: removed }: Readonly<RegistryContent>): string[] {
  return Array.isArray(removed) ? removed.filter((one) => typeof one === 'string') : [];
}
