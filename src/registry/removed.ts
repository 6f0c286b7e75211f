import { isRecord } from '../arguments.js';
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
  if (replaced?.sha256 !== entry.sha256) noteRemoved(content, replaced);
  if (entry.sha256 !== undefined) keep(content, without(content, entry.sha256));
}

/**
 * Takes a version off the list. Its package, which may still lie in `zips/`, is remembered: a watched folder would deploy
 * it again at once, and with a retention rule that prunes by itself the two would go on without end.
 */
export function delist(content: RegistryContent, entry: RegistryEntry): void {
  content.packages = content.packages.filter((known) => known !== entry);
  noteRemoved(content, entry);
}

/**
 * When the version of a package (SHA-256, hex) was removed, or replaced: Unix time in milliseconds. Undefined where it was not,
 * or was deployed again since.
 */
export function removedAt(content: Readonly<RegistryContent>, sha256: string): number | undefined {
  return removedIn(content).find(([one]) => one === sha256)?.[1];
}

function noteRemoved(content: RegistryContent, entry: RegistryEntry | undefined): void {
  if (entry?.sha256 !== undefined)
    keep(content, [...without(content, entry.sha256), [entry.sha256, Date.now()]]);
}

/** SHA-256 (hex) of packages and when each was removed: those removed last at the end. */
type Removed = [sha256: string, at: number][];

function keep(content: RegistryContent, removed: Removed): void {
  if (removed.length === 0) delete content.removed_packages;
  else
    content.removed_packages = Object.fromEntries(
      removed.slice(-MOST).map(([sha256, at]) => [sha256, new Date(at).toISOString()]),
    );
}

function without(content: Readonly<RegistryContent>, sha256: string): Removed {
  return removedIn(content).filter(([one]) => one !== sha256);
}

function removedIn({ removed_packages: removed }: Readonly<RegistryContent>): Removed {
  if (!isRecord(removed)) return [];
  return Object.entries(removed).flatMap(([sha256, text]): Removed => {
    const at = typeof text === 'string' ? Date.parse(text) : NaN;
    return Number.isNaN(at) ? [] : [[sha256, at]]; // spoiled by hand
  });
}
