import { RunnerError } from '../errors.js';
import type { VersionRef } from '../package/types.js';
import type { ProductIdList } from '../product-ids.js';
import { isSame, stepBack, type CheckedChange } from './mappings.js';
import type { RegistryContent } from './registry-file.js';
import type { ActiveMapping } from './types.js';

/** A way back from a version that did not stand its trial. Ids that have moved on from it since are left where they are. */
export type SwitchBack = ProductIdList & SwitchBackOrder;

/** What a way back takes besides the product ids. */
export interface SwitchBackOrder {
  /** The version that is left, and barred for these ids. */
  from: VersionRef;
  /** Why, for those who look at the mapping and at the audit log. */
  reason: string;
  /** Who asked, for the audit log. */
  operator?: string;
}

/** Refuses a version that one of the ids was taken back from. @throws RunnerError `version_barred` */
export function checkNotBarred(
  content: Pick<RegistryContent, 'active'>,
  { name, version, pids }: Pick<CheckedChange, 'name' | 'version' | 'pids'>,
): void {
  for (const pid of pids) {
    const bar = content.active[pid]?.barred?.find(
      (barred) => barred.name === name && barred.version === version,
    );
    if (!bar) continue;
    throw new RunnerError(
      'version_barred',
      `${pid} was taken back from ${name} ${version} at ${bar.at}: ${bar.reason}. ` +
        'Install a corrected version, or switch with force to try this one again',
      { details: { name, version, productIds: [pid], reason: bar.reason } },
    );
  }
}

/** The mapping without a bar on the version it is for: somebody has insisted on it. */
export function unbar(mapping: ActiveMapping): void {
  const { name, version } = mapping;
  const rest = mapping.barred?.filter((bar) => bar.name !== name || bar.version !== version) ?? [];
  if (rest.length > 0) mapping.barred = rest;
  else delete mapping.barred;
}

/**
 * The mappings one step back, each with a bar on the version it leaves. Ids without an earlier version stay as they
 * are, if at least one id has an earlier version.
 *
 * @throws RunnerError `not_found` when none has
 */
export function stepBackFrom(
  content: RegistryContent,
  o: SwitchBackOrder & { pids: readonly string[] },
  now: string,
): ActiveMapping[] {
  const { name, version } = o.from;
  const there = o.pids.filter(
    (pid) => content.active[pid]?.name === name && content.active[pid].version === version,
  );
  const back: ActiveMapping[] = [];
  let stuck: unknown;
  for (const pid of there) {
    try {
      const mapping = stepBack(content, pid, o.operator, now);
      back.push(withBar(mapping, { name, version, reason: o.reason, at: now }));
    } catch (error) {
      stuck = error;
    }
  }
  if (back.length === 0 && stuck !== undefined) throw stuck as Error;
  return back;
}

/** Bars a version for product ids, whatever serves them now. */
export function barFor(
  content: Pick<RegistryContent, 'active'>,
  { from: { name, version }, reason, pids }: SwitchBackOrder & { pids: readonly string[] },
  now: string,
): void {
  for (const pid of pids) {
    const mapping = content.active[pid];
    if (mapping) content.active[pid] = withBar(mapping, { name, version, reason, at: now });
  }
}

function withBar(mapping: ActiveMapping, bar: NonNullable<ActiveMapping['barred']>[number]): ActiveMapping {
  const others = mapping.barred?.filter((one) => !isSame(one, bar)) ?? [];
  return { ...mapping, barred: [...others, bar] };
}
