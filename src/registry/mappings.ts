import { RunnerError } from '../errors.js';
import type { VersionRef } from '../package/types.js';
import type { ParameterValues } from '../parameters/types.js';
import type { ProductIdList } from '../product-ids.js';
import type { ProcessIdentity } from '../process/identity.js';
import type { RegistryContent } from './registry-file.js';
import { inWords } from './users-in-words.js';
import type { ActiveMapping, RegistryEntry } from './types.js';

/** Who is to serve which product ids. */
export type MappingChange = ProductIdList & {
  /** The package's name. */
  name: string;
  /** The version that is to serve. */
  version: string;
  /** Who asked, for the audit log. */
  operator?: string;
  /** Also to a version that one of the ids was taken back from. @defaultValue false */
  force?: boolean;
  /** Parameters to keep for the product ids, in place of those that are kept. @defaultValue those that are kept */
  params?: ParameterValues;
};

/** The same, checked. */
export interface CheckedChange extends VersionRef {
  pids: string[];
  operator?: string;
  params?: ParameterValues;
}

const LONGEST_HISTORY = 20;

/** Whether both name the same version. */
export function isSame(a: { name: string; version: string }, b: { name: string; version: string }): boolean {
  return a.name === b.name && a.version === b.version;
}

/** Takes mappings out of a content. */
export function drop(content: RegistryContent, mappings: readonly ActiveMapping[]): void {
  for (const { pid } of mappings) Reflect.deleteProperty(content.active, pid);
}

/** The entry of a version. @throws RunnerError `not_found` */
export function findEntry(content: RegistryContent, name: string, version: string): RegistryEntry {
  const entry = content.packages.find((found) => isSame(found, { name, version }));
  if (entry) return entry;
  const others = content.packages.filter((found) => found.name === name).map((found) => found.version);
  throw new RunnerError(
    'not_found',
    `${name} ${version} is not deployed: install it first${others.length > 0 ? `; deployed versions: ${others.join(', ')}` : ''}`,
    { details: { name, version } },
  );
}

/** A copy without a prototype: an id such as `constructor`, which every other object has, is there only where it is active. */
export function copyOf(active: RegistryContent['active']): Record<string, ActiveMapping> {
  const copy = Object.create(null) as Record<string, ActiveMapping>;
  return Object.assign(copy, structuredClone({ ...active }));
}

/** The mapping of a product id. @throws RunnerError `not_found` */
export function findMapping(
  content: RegistryContent,
  pid: string,
  remedy = ': activate a version for it first',
): ActiveMapping {
  const mapping = content.active[pid];
  if (mapping) return mapping;
  const known = Object.keys(content.active);
  throw new RunnerError(
    'not_found',
    `Product id ${JSON.stringify(pid)} is not active${remedy}` +
      (known.length > 0 ? `; active are ${known.slice(0, 20).join(', ')}` : '; no product id is active'),
    { details: { productIds: [pid] } },
  );
}

/** The version that serves a product id. @throws RunnerError `not_found` */
export function entryServing(content: RegistryContent, pid: string): RegistryEntry {
  const { name, version } = findMapping(content, pid);
  return findEntry(content, name, version);
}

/** Refuses product ids that the version does not support. A version that declares none serves any. */
export function checkSupported(entry: RegistryEntry, pids: readonly string[]): void {
  const { name, version, supported_pids: supported } = entry;
  const foreign = pids.filter((pid) => !supports(entry, pid));
  if (foreign.length === 0) return;
  throw new RunnerError(
    'invalid_pid',
    `${name} ${version} does not support ${foreign.join(', ')}; it supports ${supported.join(', ')}`,
    { details: { name, version, productIds: foreign } },
  );
}

/** Whether a version may serve an id. */
export function supports(
  { supported_pids: supported }: Pick<RegistryEntry, 'supported_pids'>,
  pid: string,
): boolean {
  return supported.length === 0 || supported.includes(pid);
}

/** Refuses product ids that another package serves. */
export function checkUnclaimed(content: RegistryContent, { name, pids }: CheckedChange): void {
  const taken = pids
    .map((pid) => content.active[pid])
    .filter((mapping): mapping is ActiveMapping => mapping !== undefined && mapping.name !== name);
  if (taken.length === 0) return;
  const list = taken.map((mapping) => `${mapping.pid} (${mapping.name} ${mapping.version})`).join(', ');
  throw new RunnerError(
    'activation_conflict',
    `Another package serves ${list}: deactivate it first, or use switch()`,
    { details: { name, productIds: taken.map(({ pid }) => pid) } },
  );
}

/** The mappings after a change; the version served before goes to the head of the history. */
export function remap(content: RegistryContent, change: CheckedChange, now: string): ActiveMapping[] {
  return change.pids.map((pid) => {
    const before = content.active[pid];
    const { name, version } = change;
    if (before && isSame(before, change)) return change.params ? withParams(before, change.params) : before;
    const history = before ? [pastOf(before), ...(before.history ?? [])].slice(0, LONGEST_HISTORY) : [];
    const kept: ActiveMapping = { ...before, pid, name, version, activated_at: now, history };
    const mapping = change.params ? withParams(kept, change.params) : kept;
    if (change.operator === undefined) delete mapping.operator;
    else mapping.operator = change.operator;
    return mapping;
  });
}

/** What is kept of a mapping in the history of its successor. */
function pastOf({ name, version, activated_at, params }: ActiveMapping) {
  return { name, version, activated_at, ...(params && { params }) };
}

/** The mapping with these parameters; empty ones are none. */
export function withParams({ params: _, ...mapping }: ActiveMapping, params: ParameterValues): ActiveMapping {
  return Object.keys(params).length > 0 ? { ...mapping, params } : mapping;
}

/** Where in the history a rollback goes: to the newest version that is still deployed and still supports the id. */
function wayBack(content: Pick<RegistryContent, 'packages'>, { pid, history = [] }: ActiveMapping): number {
  return history.findIndex((past) =>
    content.packages.some((entry) => isSame(entry, past) && supports(entry, pid)),
  );
}

/** Product ids that a rollback would take back to the version. */
export function pidsLeadingBackTo(
  content: Pick<RegistryContent, 'packages' | 'active'>,
  version: VersionRef,
): string[] {
  return Object.values(content.active)
    .filter((mapping) => {
      const target = mapping.history?.[wayBack(content, mapping)];
      return target !== undefined && isSame(target, version);
    })
    .map(({ pid }) => pid);
}

/**
 * The mapping one step back: the newest version of the history that is still deployed and still supports the id.
 * @throws RunnerError `not_found`
 */
export function stepBack(
  content: RegistryContent,
  pid: string,
  operator: string | undefined,
  now: string,
): ActiveMapping {
  const mapping = findMapping(content, pid);
  const { history = [], params: _, ...current } = mapping;
  const index = wayBack(content, mapping);
  const target = history[index];
  if (!target) {
    throw new RunnerError(
      'not_found',
      `${pid} has no earlier version to go back to: ${current.name} ${current.version} is the first that is kept`,
      { details: { productIds: [pid], name: current.name, version: current.version } },
    );
  }
  return {
    ...current,
    name: target.name,
    version: target.version,
    activated_at: now,
    history: history.slice(index + 1),
    ...(target.params && { params: target.params }),
    ...(operator !== undefined && { operator }),
  };
}

/**
 * @throws RunnerError `unsafe_uninstall` (2007) naming the product ids that are bound to the version, or the live
 * processes that use it
 */
export function checkUnused(
  content: RegistryContent,
  { name, version }: RegistryEntry,
  users: readonly ProcessIdentity[],
): void {
  const pids = Object.values(content.active)
    .filter((mapping) => isSame(mapping, { name, version }))
    .map(({ pid }) => pid);
  if (pids.length > 0) {
    throw new RunnerError(
      'unsafe_uninstall',
      `${name} ${version} is active for ${pids.join(', ')}: deactivate or switch first, or pass force`,
      { details: { name, version, productIds: pids } },
    );
  }
  if (users.length > 0) {
    const { who, remedy } = inWords(users, { name, version });
    throw new RunnerError(
      'unsafe_uninstall',
      `${name} ${version} is in use by ${who}: ${remedy}, or pass force`,
      { details: { name, version, users } },
    );
  }
}

/**
 * Whether a version that is listed may be replaced by another of the same name.
 *
 * @throws RunnerError `version_in_use` while any live process runs it, or when it is active for a product id that the
 * new one does not support
 */
export function checkReplaceable(
  { active }: Pick<RegistryContent, 'active'>,
  entry: Pick<RegistryEntry, 'name' | 'version' | 'supported_pids'>,
  users: readonly ProcessIdentity[],
): void {
  const { name, version } = entry;
  if (users.length > 0) {
    const { who, remedy } = inWords(users, { name, version });
    throw new RunnerError(
      'version_in_use',
      `${name} ${version} cannot be replaced while it is in use by ${who}: ${remedy}`,
      { details: { name, version, users } },
    );
  }
  const orphans = Object.values(active)
    .filter((mapping) => isSame(mapping, entry) && !supports(entry, mapping.pid))
    .map(({ pid }) => pid);
  if (orphans.length > 0) {
    throw new RunnerError(
      'version_in_use',
      `${name} ${version} is active for ${orphans.join(', ')}, which the new package does not support: deactivate first`,
      { details: { name, version, productIds: orphans } },
    );
  }
}

/** @throws RunnerError `unsafe_uninstall` (2007) naming the product ids that a rollback would take back to the version */
export function checkNoWayBack(content: RegistryContent, { name, version }: RegistryEntry): void {
  const ids = pidsLeadingBackTo(content, { name, version });
  if (ids.length === 0) return;
  throw new RunnerError(
    'unsafe_uninstall',
    `${name} ${version} is what a rollback of ${ids.join(', ')} would go back to: keep it, or pass ` +
      'alsoRollbackTargets or force',
    { details: { name, version, rollbackProductIds: ids } },
  );
}
