import { group, number, type Option } from '../options.js';
import type { ArchiveLimits } from './types.js';

/** Bounds on what an archive may contain, as an option of validator, deployer and installation. */
export function limitOptions(): Option<Partial<ArchiveLimits> | undefined> {
  const most = Number.MAX_SAFE_INTEGER;
  return group<Partial<ArchiveLimits>>({
    ...{ maxEntries: number(1, most), maxUnpackedBytes: number(1, most) },
    ...{ maxFileBytes: number(1, most), maxRatio: number(1, most) },
  });
}
