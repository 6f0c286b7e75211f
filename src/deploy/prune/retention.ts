import type { RegistryEntry } from '../../registry/types.js';
import type { PruneReport, Retention } from '../types.js';

/** Why a version must stay, whatever its age. */
export type KeepReason = PruneReport['kept'][number]['reason'];

/** A retention rule with its defaults filled in. */
export type ResolvedRetention = Required<Retention>;

/** Fills in the defaults of options that were checked. */
export function resolveRetention(retention: Retention = {}): ResolvedRetention {
  const { keep = 3, action = 'delete', automatic = false, archives = {} } = retention;
  return { keep, action, automatic, archives };
}

/**
 * Chooses what a prune removes: of each name everything past the last `keep` of the list, which is in the order of
 * registration, except what `reason` gives a reason to keep. Not by `created_at`: on a machine whose clock went back, what
 * was deployed a moment ago would be the oldest. Kept versions past the count do not push newer ones out.
 */
export function planPrune(
  entries: readonly RegistryEntry[],
  keep: number,
  reason: (entry: RegistryEntry) => KeepReason | undefined,
): { remove: RegistryEntry[]; kept: PruneReport['kept'] } {
  const byName = new Map<string, RegistryEntry[]>();
  for (const entry of entries) {
    const group = byName.get(entry.name) ?? [];
    byName.set(entry.name, group);
    group.push(entry);
  }
  const remove: RegistryEntry[] = [];
  const kept: PruneReport['kept'] = [];
  for (const group of byName.values()) {
    for (const entry of group.reverse().slice(keep)) {
      const why = reason(entry);
      if (why === undefined) remove.push(entry);
      else kept.push({ name: entry.name, version: entry.version, reason: why });
    }
  }
  return { remove, kept };
}
