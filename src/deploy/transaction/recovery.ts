import { rm } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted, type OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import type { Registry } from '../../registry/registry.js';
import { renameOver, type Durability } from '../../store/atomic-file.js';
import { isMissing } from '../../store/errno.js';
import { sweepSigns } from '../../process/life.js';
import { namesIn } from '../../store/names-in.js';
import { findBaseFault } from '../../python/environments/base-fault.js';
import { releasing } from '../../store/lock.js';
import { removeIfEmpty } from '../../store/remove-tree.js';
import { withReserve } from '../../store/reserve.js';
import { onStore } from '../../store/store-error.js';
import { attempts, type Attempt, type RecoveryOptions } from './attempt.js';
import { ageOf, isProbeName } from '../../store/file-age.js';
import {
  newRecord,
  ownerLiveness,
  readJournal,
  transactionFolderName,
  type JournalRecord,
} from './journal.js';
import { readMarker } from '../seal/seal.js';
import { Transaction } from './transaction.js';
import type { InterruptedOperation, RecoveredOperation, RecoveryReport } from '../types.js';
import { lockedVersions, tryLockVersion } from './version-lock.js';

/** A folder of another host (or container) that says nothing about its owner is left for this long. */
const FOREIGN_SILENCE_MS = 24 * 60 * 60 * 1000;

/**
 * Cleans up after dead processes: finishes what was committed, undoes the rest, frees their locks, and names
 * the versions whose interpreter is gone. Must not touch what belongs to a live process, or to a process that cannot be seen
 * from here. One bad file must not block the rest of the recovery.
 */
export async function recoverStore(
  registry: Registry,
  durability: Durability,
  o: Omit<RecoveryOptions, 'failsWhenFull'> = {},
): Promise<RecoveryReport> {
  if (o.dryRun) return recoverOnce(registry, durability, o);
  let attempts = 0;
  const recover = () => recoverOnce(registry, durability, { ...o, failsWhenFull: ++attempts === 1 });
  return onStore('recover the store', () => withReserve(registry.layout, recover));
}

async function recoverOnce(
  registry: Registry,
  durability: Durability,
  options: RecoveryOptions,
): Promise<RecoveryReport> {
  const startedAt = performance.now();
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- stays for one minor version
  const report: RecoveryReport = { recovered: [], busy: [], repaired: [], skipped: [], durationMs: 0 };
  const { dryRun = false } = options;
  const attempt = attempts(report.skipped, options);
  const { staging, root } = registry.layout;
  for (const folder of (await attempt(staging, () => transactionFolders(registry, dryRun))) ?? []) {
    throwIfAborted(options.signal, 'recovery');
    const outcome = await attempt(folder, () => recoverFolder(registry, folder, { durability, dryRun }));
    if (outcome === undefined) continue;
    if ('outcome' in outcome) report.recovered.push(outcome);
    else report.busy.push(outcome);
  }
  if (!dryRun) {
    const late = await freeDeadLocks(registry, durability, { signal: options.signal, attempt });
    report.recovered.push(...late);
    report.busy = report.busy.filter(({ id }) => !late.some((done) => done.id === id));
  }
  await attempt(root, () => checkInterpreters(registry, attempt, options));
  if (!dryRun) await attempt(staging, () => removeIfEmpty(staging));
  report.durationMs = performance.now() - startedAt;
  return report;
}

/** Versions whose interpreter is gone are skipped with what is to be done: they cannot run. */
async function checkInterpreters(
  registry: Registry,
  attempt: Attempt,
  { signal }: OperationOptions,
): Promise<void> {
  for (const { name, version } of await registry.list({}, { signal })) {
    throwIfAborted(signal, 'recovery');
    const environment = registry.layout.venv(name, version);
    await attempt(environment, async () => {
      const base = await findBaseFault(environment);
      if (base) throw withoutBase(name, version, base.path);
    });
  }
}

function withoutBase(name: string, version: string, python: string): RunnerError {
  return new RunnerError(
    'incompatible_python',
    `${name} ${version} cannot run: its environment was made from ${python}, which is not there any more. Install that ` +
      'Python again, or install the version anew with force',
    { details: { name, version, path: python } },
  );
}

/**
 * As {@link recoverStore}, for one version whose lock the caller holds: the lock of a dead process may be taken over
 * before anybody has put its work away.
 */
export async function recoverVersion(
  registry: Registry,
  name: string,
  version: string,
  durability: Durability,
): Promise<RecoveredOperation[]> {
  const recovered: RecoveredOperation[] = [];
  for (const folder of await transactionFolders(registry, false)) {
    const record = await recordOf(registry, folder);
    if (record?.name !== name || record.version !== version) continue;
    if ((await ownerLiveness(folder)) === 'alive') continue;
    const claimed = await claim(registry, folder);
    if (claimed === undefined) continue;
    const outcome = await new Transaction(registry, claimed, record, durability).settle();
    const { id, operation } = record;
    recovered.push({ id, operation, name, version, outcome });
  }
  return recovered;
}

async function recoverFolder(
  registry: Registry,
  folder: string,
  { durability, dryRun }: { durability: Durability; dryRun: boolean },
): Promise<RecoveredOperation | RecoveryReport['busy'][number] | undefined> {
  const liveness = await ownerLiveness(folder);
  const record = await recordOf(registry, folder);
  const { name, version } = record ?? {};
  const operation: InterruptedOperation = record?.operation ?? 'unknown';
  const about = { id: record?.id ?? path.basename(folder), operation, name, version };
  if (liveness === 'alive') return about;
  if (record?.operation === undefined || name === undefined || version === undefined) {
    if (liveness === 'unknown' && !(await isSilent(folder))) return about;
    if (dryRun) return { ...about, outcome: 'undone' };
    const claimed = await claim(registry, folder);
    if (claimed === undefined) return undefined;
    await new Transaction(registry, claimed, record ?? (await unknownRecord()), durability).discard();
    return { ...about, outcome: 'undone' };
  }
  if (dryRun) {
    return { ...about, outcome: await new Transaction(registry, folder, record, durability).outcome() };
  }
  const lock = await tryLockVersion(registry.layout, name, version, { operation: 'recover' });
  // The holder of the lock recovers this version itself. A holder that cannot be seen from here keeps the lock as long as it
  // works.
  if (!lock) return about;
  return releasing(lock, async () => {
    const claimed = await claim(registry, folder);
    if (claimed === undefined) return undefined;
    const outcome = await new Transaction(registry, claimed, record, durability).settle();
    return { ...about, outcome };
  });
}

/**
 * What a transaction was about: as its journal says or, where that is damaged, as the markers of what stands in its
 * folder tell. A version that stepped aside must not go with a folder of which nothing is known.
 */
async function recordOf(registry: Registry, folder: string): Promise<JournalRecord | undefined> {
  const record = await readJournal(folder);
  if (record) return record;
  const inside =
    (await readMarker(path.join(folder, 'old'))) ?? (await readMarker(path.join(folder, 'tree')));
  if (!inside) return undefined;
  const { name, version } = inside;
  const deployed = await readMarker(registry.layout.deployed(name, version));
  // Neither listed nor in its place: it was on its way out.
  const isLeaving = !deployed && !(await registry.get(name, version));
  const guessed = await newRecord({ operation: isLeaving ? 'uninstall' : 'install', name, version });
  return typeof deployed?.deployment_id === 'string' ? { ...guessed, id: deployed.deployment_id } : guessed;
}

/** Makes the folder ours by one rename, which exactly one contender can do. */
async function claim(registry: Registry, folder: string): Promise<string | undefined> {
  const claimed = path.join(registry.layout.staging, await transactionFolderName());
  try {
    await renameOver(folder, claimed);
    return claimed;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/**
 * Takes and gives back every lock whose owner is dead, so that its files go. Another host may have left the work of that
 * owner alone, because this one had the lock just then: so it is looked for while the lock is held.
 */
async function freeDeadLocks(
  registry: Registry,
  durability: Durability,
  { signal, attempt }: OperationOptions & { attempt: Attempt },
): Promise<RecoveredOperation[]> {
  const { layout } = registry;
  await attempt(layout.root, () => registry.sweep({ signal }));
  const names = await namesIn(layout.deployedRoot);
  for (const folder of [layout.algorithms, ...names.map((name) => path.join(layout.deployedRoot, name))]) {
    await attempt(folder, () => sweepSigns(folder));
  }
  const found = await attempt(layout.deployedRoot, () => lockedVersions(layout));
  const { locked = [], emptyNames = [] } = found ?? {};
  const recovered: RecoveredOperation[] = [];
  for (const { name, version } of locked) {
    const file = path.join(layout.deployedRoot, name, `${version}.lock`);
    const late = await attempt(file, async () => {
      const lock = await tryLockVersion(layout, name, version, { operation: 'recover', signal });
      return lock && releasing(lock, () => recoverVersion(registry, name, version, durability));
    });
    recovered.push(...(late ?? []));
  }
  for (const name of emptyNames) {
    const folder = path.join(layout.deployedRoot, name);
    await attempt(folder, () => removeIfEmpty(folder));
  }
  return recovered;
}

async function transactionFolders(registry: Registry, dryRun: boolean): Promise<string[]> {
  const { staging } = registry.layout;
  const names = (await namesIn(staging)).sort();
  // Probe files of the file system's clock stay when their process was killed. A missed one does no harm.
  for (const probe of dryRun ? [] : names.filter(isProbeName)) {
    await rm(path.join(staging, probe), { force: true }).catch(() => undefined);
  }
  return names.filter((name) => !isProbeName(name)).map((name) => path.join(staging, name));
}

/** By the clock of the file system: that of this machine may be days off. */
async function isSilent(folder: string): Promise<boolean> {
  return ((await ageOf(folder)) ?? 0) > FOREIGN_SILENCE_MS;
}

function unknownRecord(): Promise<JournalRecord> {
  return newRecord({ operation: 'receive' });
}
