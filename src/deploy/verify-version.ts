import { throwIfAborted, type OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import type { Registry } from '../registry/registry.js';
import { isUnwritable } from '../store/errno.js';
import { releasing } from '../store/lock.js';
import { describeOwner } from '../store/lock-owner.js';
import type { DriftReport } from './types.js';
import { holderOf, tryLockVersion, unfinishedOn, type VersionLock } from './transaction/version-lock.js';
import { findDrift } from './seal/drift.js';

/**
 * Compares a deployed version with what was sealed into it. Another operation may be replacing or removing a version
 * that looks damaged: it is compared again under its lock, and the second result counts.
 *
 * @throws RunnerError `not_found`, `busy` naming the process that works on the version
 */
export async function verifyVersion(
  registry: Registry,
  name: string,
  version: string,
  o: OperationOptions,
): Promise<DriftReport> {
  const first = await look(registry, name, version, o).catch((error: unknown) => {
    if (RunnerError.is(error)) throw error;
    return undefined; // a file that went while it was read
  });
  if (first?.intact) return first;
  throwIfAborted(o.signal, 'verify');
  let lock: VersionLock | undefined;
  try {
    lock = await tryLockVersion(registry.layout, name, version, { operation: 'verify', signal: o.signal });
  } catch (error) {
    if (!isUnwritable(error)) throw error;
    return lookWithoutLock(registry, name, version, o);
  }
  if (!lock) throw await busy(registry, name, version);
  return releasing(lock, async () => {
    const second = await look(registry, name, version, o);
    if (!second.intact) await checkFinished(registry, name, version);
    return second;
  });
}

/**
 * Of a store in which this process can lock nothing. Others may remove a version all the same, as from a full disk: what looks
 * damaged counts where nobody works on it before and after it is looked at.
 */
async function lookWithoutLock(
  registry: Registry,
  name: string,
  version: string,
  o: OperationOptions,
): Promise<DriftReport> {
  for (let isLast = false; ; isLast = true) {
    const found = await look(registry, name, version, o);
    if (found.intact) return found;
    if ((await holderOf(registry.layout, name, version)).holder) throw await busy(registry, name, version);
    await checkFinished(registry, name, version);
    if (isLast) return found;
  }
}

/** @throws RunnerError `busy` where a change was begun and is not finished */
async function checkFinished(registry: Registry, name: string, version: string): Promise<void> {
  const unfinished = await unfinishedOn(registry.layout, name, version);
  if (!unfinished) return;
  throw new RunnerError(
    'busy',
    `${name} ${version} cannot be verified now: ${describeOwner(unfinished)} began to change it and has not finished. ` +
      'recover() finishes or undoes it',
    { details: { name, version, holder: unfinished } },
  );
}

async function look(
  registry: Registry,
  name: string,
  version: string,
  o: OperationOptions,
): Promise<DriftReport> {
  const entry = await registry.get(name, version, o);
  if (!entry) {
    const message = `${name} ${version} is not deployed: install it first`;
    throw new RunnerError('not_found', message, { details: { name, version } });
  }
  return findDrift(registry.layout.deployed(name, version), entry, o);
}

async function busy(registry: Registry, name: string, version: string): Promise<RunnerError> {
  const { holder, words } = await holderOf(registry.layout, name, version);
  return new RunnerError(
    'busy',
    `${name} ${version} cannot be verified now: ${words} works on it. Verify again when that has ended`,
    { details: { name, version, holder } },
  );
}
