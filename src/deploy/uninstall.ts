import type { OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import type { VersionRef } from '../package/types.js';
import type { Registry } from '../registry/registry.js';
import type { RegistryEntry } from '../registry/types.js';
import type { Durability } from '../store/atomic-file.js';
import { recoverVersion } from './recovery.js';
import { Transaction } from './transaction.js';
import { settleTwice } from './unwind.js';
import { lockVersion } from './version-lock.js';

/** How to take a version away. */
export interface RemovalOptions extends OperationOptions {
  operator?: string;
  force: boolean;
  /** Refuse when a rollback would go back to the version. */
  spareRollback?: boolean;
  archive: boolean;
  durability: Durability;
  lockTimeoutMs: number;
  /** Ends whatever still compiles the version. */
  stopCompiling: (version: VersionRef) => Promise<void>;
  /** What the lock is held for. */
  operation: 'uninstall' | 'prune';
  /** Product ids that the version supports, once it has been found. */
  onPids?: (pids: string[]) => void;
}

/**
 * Takes a version off the registry, then off the disk.
 *
 * @throws RunnerError `not_found`, `unsafe_uninstall` (2007), `lock_timeout`, `aborted`
 */
export async function removeVersion(
  registry: Registry,
  name: string,
  version: string,
  options: RemovalOptions,
): Promise<void> {
  const { operation, force, spareRollback, archive, durability, signal, operator } = options;
  await using _lock = await lockVersion(registry.layout, name, version, {
    operation,
    timeoutMs: options.lockTimeoutMs,
    signal,
  });
  await recoverVersion(registry, name, version, durability);
  const entry = await registry.get(name, version, { signal });
  if (!entry) throw notInstalled(name, version);
  options.onPids?.(entry.supported_pids);
  await options.stopCompiling({ name, version });
  const transaction = await Transaction.begin(
    registry,
    { operation: 'uninstall', name, version, archive },
    durability,
  );
  try {
    await registry.unregister(name, version, { operator, signal, force, spareRollback });
    if (!force) await takeBackIfUsed(registry, entry);
  } catch (error) {
    if ((await settleTwice(transaction)) !== 'completed') throw error;
    return;
  }
  await settleTwice(transaction);
}

/** Somebody who looked for the version just before it went off the list has it now: it stays. */
async function takeBackIfUsed(registry: Registry, entry: RegistryEntry): Promise<void> {
  const { name, version } = entry;
  const users = await registry.users(name, version);
  if (users.length === 0) return;
  await registry.register(entry);
  const message = `${name} ${version} was taken into use meanwhile: stop it first, or pass force`;
  throw new RunnerError('unsafe_uninstall', message, { details: { name, version, users } });
}

/** Product ids the version is active for. */
export async function activePids(registry: Registry, name: string, version: string): Promise<string[]> {
  return Object.values(await registry.active())
    .filter((mapping) => mapping.name === name && mapping.version === version)
    .map(({ pid }) => pid);
}

function notInstalled(name: string, version: string): RunnerError {
  return new RunnerError('not_found', `${name} ${version} is not installed`, { details: { name, version } });
}
