import path from 'node:path';
import type { OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import type { StoreLayout } from '../../store/layout.js';
import { isMissing } from '../../store/errno.js';
import { namesIn } from '../../store/names-in.js';
import { removeIfEmpty } from '../../store/remove-tree.js';
import type { VersionRef } from '../../package/types.js';
import { acquireLock, lockHolder, releasing, type Lock } from '../../store/lock.js';
import { isSetAside } from '../../store/set-aside.js';
import { describeOwner, type LockOwner } from '../../store/lock-owner.js';
import { readJournal } from './journal.js';

/** How to wait for a version's lock. */
export interface VersionLockOptions extends OperationOptions {
  operation: string;
  timeoutMs: number;
}

/** The lock of a version, held until it is released. */
export interface VersionLock {
  /** @throws the error of the system; nobody holds the lock then either */
  release(): Promise<void>;
}

/**
 * The lock of one version: different versions deploy side by side. Its file lies in the folder of the package's name,
 * which goes with the lock when nothing else is in it.
 *
 * @throws RunnerError `lock_timeout`, `aborted`
 */
export async function lockVersion(
  layout: StoreLayout,
  name: string,
  version: string,
  options: VersionLockOptions,
): Promise<VersionLock> {
  const file = layout.versionLock(name, version);
  const lock = await acquireInVanishingFolder(file, {
    ...options,
    operation: `${options.operation} ${name} ${version}`,
  });
  return {
    release: async () => {
      await lock.release();
      await removeIfEmpty(path.dirname(file));
    },
  };
}

/** Runs work under the lock of a version: see {@link withLock}. */
export async function withVersionLock<T>(
  layout: StoreLayout,
  { name, version }: VersionRef,
  options: VersionLockOptions,
  work: () => Promise<T>,
): Promise<T> {
  return releasing(await lockVersion(layout, name, version, options), work);
}

/** As {@link lockVersion}, without waiting; undefined when a live process holds it. */
export async function tryLockVersion(
  layout: StoreLayout,
  name: string,
  version: string,
  options: OperationOptions & { operation: string },
): Promise<VersionLock | undefined> {
  try {
    return await lockVersion(layout, name, version, { ...options, timeoutMs: 0 });
  } catch (error) {
    if (RunnerError.is(error, 'lock_timeout')) return undefined;
    throw error;
  }
}

/** Who holds the lock of a version now; `holder` is undefined when nobody does. */
export async function holderOf(
  layout: StoreLayout,
  name: string,
  version: string,
): Promise<{ holder: LockOwner | undefined; words: string }> {
  const owner = await lockHolder(layout.versionLock(name, version));
  return { holder: owner ?? undefined, words: describeOwner(owner) };
}

/**
 * Who began an operation on a version and has not finished it; undefined when nobody has. Its process may be dead, or the disk
 * may have kept it from its end: the next recovery, or the next operation on the version, finishes it.
 */
export async function unfinishedOn(
  layout: StoreLayout,
  name: string,
  version: string,
): Promise<LockOwner | undefined> {
  for (const folder of await namesIn(layout.staging)) {
    const record = await readJournal(path.join(layout.staging, folder));
    if (record?.name !== name || record.version !== version) continue;
    const { holder, id: token, operation, started_at: acquiredAt } = record;
    return { ...holder, token, operation: `${operation} ${name} ${version}`, acquiredAt };
  }
  return undefined;
}

/** Versions that have a lock file, held or left by the dead, and names whose folder is empty. */
export async function lockedVersions(
  layout: StoreLayout,
): Promise<{ locked: { name: string; version: string }[]; emptyNames: string[] }> {
  const locked: { name: string; version: string }[] = [];
  const emptyNames: string[] = [];
  for (const name of await namesIn(layout.deployedRoot)) {
    const files = await namesIn(path.join(layout.deployedRoot, name));
    if (files.length === 0) emptyNames.push(name);
    const left = files.filter((file) => !isSetAside(file));
    const versions = left.flatMap((file) => /^(.+)\.lock(?:$|\.)/.exec(file)?.[1] ?? []);
    for (const version of new Set(versions)) locked.push({ name, version });
  }
  return { locked, emptyNames };
}

/** Another operation that ends may remove the empty folder between its making and the lock's. */
async function acquireInVanishingFolder(file: string, options: VersionLockOptions): Promise<Lock> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await acquireLock(file, options);
    } catch (error) {
      if (!isMissing(error) || attempt === 5) throw error;
    }
  }
}
