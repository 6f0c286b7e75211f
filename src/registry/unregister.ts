import type { OperationOptions } from '../abort.js';
import type { VersionRef } from '../package/types.js';
import type { ProcessIdentity } from '../process/identity.js';
import { noteAudit } from '../store/audit-log.js';
import type { StoreLayout } from '../store/layout.js';
import { checkNoWayBack, checkUnused, drop, findEntry, isSame } from './mappings.js';
import { dropPolicy } from './policies.js';
import { activationLog } from './records.js';
import { delist } from './removed.js';
import type { RegistryContent } from './registry-file.js';
import type { SharedContent } from './shared-content.js';
import type { ActiveMapping, RegistryEntry } from './types.js';

/** How a version is taken off the list. */
export interface UnregisterOptions extends OperationOptions {
  /** Who asked, for the audit log. */
  operator?: string;
  /** Also a version that is active or that a live process uses; its mappings are removed too. @defaultValue false */
  force?: boolean;
  /** Not when a rollback would go back to it. @defaultValue false */
  spareRollback?: boolean;
  /** Only check. @defaultValue false */
  dryRun?: boolean;
}

/** Takes a version off the list, with its policy. @returns the mappings that went with it */
export async function unregister(
  { layout }: { layout: StoreLayout },
  shared: SharedContent,
  { name, version }: VersionRef,
  o: UnregisterOptions,
  users: () => Promise<readonly ProcessIdentity[]>,
): Promise<ActiveMapping[]> {
  const { force = false, spareRollback = false, operator } = o;
  const check = async (content: RegistryContent): Promise<RegistryEntry> => {
    const entry = findEntry(content, name, version);
    if (!force) checkUnused(content, entry, await users());
    if (spareRollback) checkNoWayBack(content, entry);
    return entry;
  };
  const unbound: ActiveMapping[] = [];
  if (o.dryRun) {
    await check(await shared.look(o));
    return unbound;
  }
  const startedAt = performance.now();
  await shared.change(`unregister ${name} ${version}`, o, async (content) => {
    const entry = await check(content);
    delist(content, entry);
    unbound.push(...Object.values(content.active).filter((mapping) => isSame(mapping, entry)));
    drop(content, unbound);
    dropPolicy(content, entry);
  });
  if (unbound.length > 0) {
    const about = { operator, name, version, pids: unbound.map(({ pid }) => pid) };
    const record = { operation: 'deactivate', ...about };
    await noteAudit(activationLog(layout), record, performance.now() - startedAt);
  }
  return unbound;
}
