import { choice, group, must, name, number, option, text, type Option } from '../options.js';
import type { IntegrityPolicy } from './integrity/types.js';
import type { KeySetPolicy } from './key-set/types.js';
import type { ArchiveLimits } from './types.js';

/** Bounds on what an archive may contain, as an option of validator, deployer and installation. */
export function limitOptions(): Option<Partial<ArchiveLimits> | undefined> {
  const most = Number.MAX_SAFE_INTEGER;
  return group<Partial<ArchiveLimits>>({
    ...{ maxEntries: number(1, most), maxUnpackedBytes: number(1, most) },
    ...{ maxFileBytes: number(1, most), maxRatio: number(1, most) },
  });
}

/** What signatures are held to, as an option of validator and of what brings packages. */
export function integrityOptions(): Option<IntegrityPolicy | undefined> {
  return group<IntegrityPolicy>({
    mode: must(choice('off', 'lenient', 'strict')),
    keySet: group<KeySetPolicy>({ file: name(), root: name(), seen: text() }),
    publicKeys: option('keys', 'must be a list of keys', (value) => Array.isArray(value)),
  });
}
