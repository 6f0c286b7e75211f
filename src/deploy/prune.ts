import path from 'node:path';
import type { OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import type { Registry } from '../registry/registry.js';
import type { RegistryEntry } from '../registry/types.js';
import { audited } from '../store/audit-log.js';
import type { Durability } from '../store/atomic-file.js';
import { planPrune, type KeepReason, type ResolvedRetention } from './retention.js';
import { archiveFolder } from './transaction.js';
import { treeBytes } from './tree.js';
import type { PruneReport, PrunedVersion } from './types.js';
import { removeVersion } from './uninstall.js';

/** How to prune. */
export interface PruneOptions extends OperationOptions {
  operator?: string;
  /** Prune this name only. */
  name?: string;
  retention: ResolvedRetention;
  durability: Durability;
  lockTimeoutMs: number;
  onProgress?: (part: number) => void;
}

/** Applies the retention rule; a version that turns out to be in use meanwhile is kept. */
export async function pruneVersions(registry: Registry, options: PruneOptions): Promise<PruneReport> {
  const { retention, signal, operator, durability, lockTimeoutMs, name } = options;
  const entries = await registry.list(name === undefined ? {} : { name }, { signal });
  const reasons = await keepReasons(registry);
  const { remove, kept } = planPrune(entries, retention.keep, reasons);
  const report: PruneReport = { pruned: [], kept, wheelBytes: 0, freedBytes: 0 };
  for (const [index, entry] of remove.entries()) {
    options.onProgress?.(index / remove.length);
    const archive = retention.action === 'archive';
    const freedBytes = await bytesToFree(registry, entry, archive);
    const removal = { force: false, archive, durability, lockTimeoutMs, operation: 'prune' as const };
    const about = { operation: 'prune', name: entry.name, version: entry.version, operator };
    const log = path.join(registry.layout.logs, 'package_install.log');
    try {
      await audited(log, about, () =>
        removeVersion(registry, entry.name, entry.version, { ...removal, signal, operator }),
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
  return report;
}

/** Tells why a version must stay: it is active, running, or what a rollback would go back to. */
async function keepReasons(registry: Registry): Promise<(entry: RegistryEntry) => KeepReason | undefined> {
  const mappings = Object.values(await registry.active());
  const isSame = (a: { name: string; version: string }, b: RegistryEntry) =>
    a.name === b.name && a.version === b.version;
  return (entry) => {
    if (mappings.some((mapping) => isSame(mapping, entry))) return 'active';
    if (entry.state === 'running' || entry.state === 'executing') return 'running';
    const isBack = mappings.some(({ history }) => history?.[0] && isSame(history[0], entry));
    return isBack ? 'rollback' : undefined;
  };
}

async function bytesToFree(registry: Registry, entry: RegistryEntry, archive: boolean): Promise<number> {
  const { layout } = registry;
  return treeBytes(
    archive ? layout.venv(entry.name, entry.version) : layout.deployed(entry.name, entry.version),
  );
}

function passingReason(error: unknown): KeepReason | 'gone' | undefined {
  if (RunnerError.is(error, 'unsafe_uninstall')) return error.details.pids ? 'active' : 'running';
  if (RunnerError.is(error, 'lock_timeout')) return 'busy';
  return RunnerError.is(error, 'not_found') ? 'gone' : undefined;
}
