import path from 'node:path';
import type { OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { isSame, pidsLeadingBackTo } from '../../registry/mappings.js';
import type { Registry } from '../../registry/registry.js';
import type { ActiveMapping, RegistryEntry } from '../../registry/types.js';
import { audited } from '../../store/audit-log.js';
import type { Durability } from '../../store/atomic-file.js';
import { pruneArchives } from './archives.js';
import { planPrune, type KeepReason, type ResolvedRetention } from './retention.js';
import { archiveFolder } from '../transaction/transaction.js';
import { treeBytes } from '../seal/tree.js';
import type { PruneReport, PrunedVersion } from '../types.js';
import { removeVersion } from '../uninstall.js';

export interface PruneOptions extends OperationOptions {
  operator?: string;
  /** Prune this name only. */
  name?: string;
  retention: ResolvedRetention;
  durability: Durability;
  lockTimeoutMs: number;
  onProgress?: (part: number) => void;
}

/** What the retention rule would remove now. Changes nothing. Wheels that only those versions share are not counted. */
export async function plannedPrune(
  registry: Registry,
  { retention, name, signal }: Pick<PruneOptions, 'retention' | 'name' | 'signal'>,
): Promise<PruneReport> {
  const { remove, kept } = await plan(registry, { retention, name, signal });
  const report: PruneReport = { pruned: [], kept, archives: [], wheelBytes: 0, freedBytes: 0 };
  for (const entry of remove) {
    const freedBytes = await bytesToFree(registry, entry, retention.action === 'archive');
    report.pruned.push({ name: entry.name, version: entry.version, action: retention.action, freedBytes });
    report.freedBytes += freedBytes;
  }
  await countArchives(registry, report, retention, { name, dryRun: true });
  return report;
}

/** Archives of earlier prunes that are past their bounds. */
async function countArchives(
  registry: Registry,
  report: PruneReport,
  { archives }: ResolvedRetention,
  o: { name?: string; dryRun?: boolean },
): Promise<void> {
  if (Object.keys(archives).length === 0) return;
  report.archives = await pruneArchives(registry.layout, archives, o);
  for (const { freedBytes } of report.archives) report.freedBytes += freedBytes;
}

async function plan(
  registry: Registry,
  { retention, name, signal }: Pick<PruneOptions, 'retention' | 'name' | 'signal'>,
): Promise<{ remove: RegistryEntry[]; kept: PruneReport['kept'] }> {
  const all = await registry.list({}, { signal });
  const entries = all.filter((entry) => name === undefined || entry.name === name);
  const reasons = keepReasons(all, await registry.active({ signal }));
  return planPrune(entries, retention.keep, reasons);
}

/** Applies the retention rule; a version that turns out to be in use in between is kept. */
export async function pruneVersions(registry: Registry, options: PruneOptions): Promise<PruneReport> {
  const { retention, signal, operator, durability, lockTimeoutMs } = options;
  const { remove, kept } = await plan(registry, options);
  const report: PruneReport = { pruned: [], kept, archives: [], wheelBytes: 0, freedBytes: 0 };
  for (const [index, entry] of remove.entries()) {
    options.onProgress?.(index / remove.length);
    const archive = retention.action === 'archive';
    const freedBytes = await bytesToFree(registry, entry, archive);
    const removal = { force: false, spareRollback: true, archive, durability, lockTimeoutMs };
    const { name: ofName, version, supported_pids: pids } = entry;
    const about = { operation: 'prune', name: ofName, version, pids, operator };
    const log = path.join(registry.layout.logs, 'package_install.log');
    try {
      await audited(log, about, () =>
        removeVersion(registry, entry.name, entry.version, {
          ...{ ...removal, operation: 'prune', signal, operator },
        }),
      );
    } catch (error) {
      const reason = passingReason(error);
      if (reason === undefined) throw error;
      if (reason !== 'gone') report.kept.push({ name: entry.name, version: entry.version, reason });
      continue;
    }
    const pruned: PrunedVersion = {
      name: entry.name,
      version: entry.version,
      action: retention.action,
      freedBytes,
    };
    if (archive) pruned.archive = archiveFolder(registry.layout, entry.name, entry.version);
    report.pruned.push(pruned);
    report.freedBytes += freedBytes;
  }
  await countArchives(registry, report, retention, { name: options.name });
  return report;
}

/** Tells why a version must stay: it is active, running, or what a rollback would go back to. */
function keepReasons(
  packages: RegistryEntry[],
  active: Record<string, ActiveMapping>,
): (entry: RegistryEntry) => KeepReason | undefined {
  return (entry) => {
    if (Object.values(active).some((mapping) => isSame(mapping, entry))) return 'active';
    if (entry.state === 'running' || entry.state === 'executing') return 'running';
    return pidsLeadingBackTo({ packages, active }, entry).length > 0 ? 'rollback' : undefined;
  };
}

async function bytesToFree(registry: Registry, entry: RegistryEntry, archive: boolean): Promise<number> {
  const { layout } = registry;
  return treeBytes(
    archive ? layout.venv(entry.name, entry.version) : layout.deployed(entry.name, entry.version),
  );
}

function passingReason(error: unknown): KeepReason | 'gone' | undefined {
  if (RunnerError.is(error, 'unsafe_uninstall')) {
    const { productIds, rollbackProductIds } = error.details;
    return productIds ? 'active' : rollbackProductIds ? 'rollback' : 'running';
  }
  if (RunnerError.is(error, 'lock_timeout')) return 'busy';
  return RunnerError.is(error, 'not_found') ? 'gone' : undefined;
}
