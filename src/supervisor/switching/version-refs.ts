import type { VersionRef } from '../../package/types.js';
import { isSame } from '../../registry/mappings.js';

/** Each version once, name and version alone. */
export function distinct(versions: Iterable<VersionRef | undefined>): VersionRef[] {
  const known: VersionRef[] = [];
  for (const one of versions) {
    if (one && !known.some((other) => isSame(other, one)))
      known.push({ name: one.name, version: one.version });
  }
  return known;
}
