import type { OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import type { Registry } from '../registry/registry.js';
import type { Durability } from '../store/atomic-file.js';
import { keepReserve, withReserve } from '../store/reserve.js';
import { recoverVersion } from './transaction/recovery.js';
import { Transaction } from './transaction/transaction.js';
import { settleTwice } from './transaction/unwind.js';
import { withVersionLock } from './transaction/version-lock.js';

/** How to take a version away. */
export interface RemovalOptions extends OperationOptions {
  operator?: string;
  force: boolean;
  /** Refuse when a rollback would go back to the version. */
  spareRollback?: boolean;
  archive: boolean;
  durability: Durability;
  lockTimeoutMs: number;
  /** What the lock is held for. */
  operation: 'uninstall' | 'prune';
  /** Product ids that the version supports, once it has been found. */
  onPids?: (pids: string[]) => void;
}

/**
 * Takes a version off the registry, then off the disk, on a full one by the store's reserve.
 *
 * @throws RunnerError `not_found`, `unsafe_uninstall` (2007), `lock_timeout`, `aborted`
 */
export async function removeVersion(
  registry: Registry,
  name: string,
  version: string,
  options: RemovalOptions,
): Promise<void> {
  await withReserve(registry.layout, () => removeOnce(registry, name, version, options));
  await keepReserve(registry.layout); // it may have been made when there was less room
}

async function removeOnce(
  registry: Registry,
  name: string,
  version: string,
  options: RemovalOptions,
): Promise<void> {
  const { operation, lockTimeoutMs: timeoutMs, signal } = options;
  await withVersionLock(registry.layout, { name, version }, { operation, timeoutMs, signal }, () =>
    removeLocked(registry, name, version, options),
  );
}

async function removeLocked(
  registry: Registry,
  name: string,
  version: string,
  options: RemovalOptions,
): Promise<void> {
  const { force, spareRollback, archive, durability, signal, operator } = options;
  await recoverVersion(registry, name, version, durability);
  const entry = await registry.get(name, version, { signal });
  if (!entry) throw notInstalled(name, version);
  options.onPids?.(entry.supported_pids);
  const transaction = await Transaction.begin(
    registry,
    { operation: 'uninstall', name, version, archive },
    durability,
  );
  try {
    await registry.unregister(name, version, { operator, signal, force, spareRollback });
  } catch (error) {
    if ((await settleTwice(transaction)) !== 'completed') throw error;
    return;
  }
  await settleTwice(transaction);
}

function notInstalled(name: string, version: string): RunnerError {
  return new RunnerError('not_found', `${name} ${version} is not deployed: list() or scan() tells what is`, {
    details: { name, version },
  });
}
