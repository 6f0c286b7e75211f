import { createHash, randomUUID } from 'node:crypto';
import path from 'node:path';
import { livenessOf, ownIdentity, type ProcessIdentity } from '../../process/identity.js';
import { showLife, type Life } from '../../process/life.js';
import { readJson, writeJsonAtomic, type Durability } from '../../store/atomic-file.js';
import { isSafeFolderName } from '../../store/file-names.js';
import { errnoCode, isMissing } from '../../store/errno.js';

const JOURNAL_FILE = 'journal.json';

/**
 * What an operation was about to do: enough to finish or undo it after a crash. Whether it had been committed is not
 * in here: the registry alone says that.
 */
export interface JournalRecord {
  format: 1;
  /** Also the `deployment_id` of what an install deploys. */
  id: string;
  /** `receive`: an upload whose name is not known yet. */
  operation: 'receive' | 'install' | 'uninstall';
  name?: string;
  version?: string;
  /** Where in the store an upload goes once its version is installed (file name in `zips/`). */
  upload?: string;
  /** An uninstalled version is archived instead of deleted. */
  archive?: boolean;
  holder: ProcessIdentity;
  /** ISO 8601, UTC. */
  started_at: string;
}

/**
 * Name of a transaction's folder. It names the owner: a folder whose journal was never written has an owner too, and
 * claiming a dead process's folder is one rename.
 */
export async function transactionFolderName(): Promise<string> {
  const own = await ownIdentity();
  return [own.pid, own.startTime || '0', surroundings(own), randomUUID().slice(0, 8)].join('.');
}

/** Whether the process a transaction's folder belongs to lives; `unknown` when it is not of this host. */
export async function ownerLiveness(folder: string): Promise<'alive' | 'dead' | 'unknown'> {
  const own = await ownIdentity();
  const [, pid, startTime = '', around] =
    /^(\d+)\.(\d+)\.([0-9a-f]{8})\.[0-9a-f]{8}$/.exec(path.basename(folder)) ?? [];
  const holder = (await readJournal(folder))?.holder;
  if (pid !== undefined && around === surroundings(own)) {
    // A host that recovers it gives the folder its own name, and leaves the journal as it is.
    const isClaimed = holder?.pid !== Number(pid);
    if (holder?.life && !isClaimed) return livenessOf(holder, folder);
    return livenessOf({ ...own, pid: Number(pid), startTime: startTime === '0' ? '' : startTime });
  }
  // Another host, another container, or this host before it was booted: the full identity tells.
  return holder ? livenessOf(holder, folder) : 'unknown';
}

/** Shows in a transaction's folder that its process, and the thread in it, lives. */
export function showTransactionLife(folder: string): Promise<Life | undefined> {
  return showLife(folder, 'life');
}

/** The journal of a transaction; undefined when none was written or it is damaged. */
export async function readJournal(folder: string): Promise<JournalRecord | undefined> {
  try {
    const record = (await readJson(path.join(folder, JOURNAL_FILE))) as JournalRecord | undefined;
    return isRecordSound(record) ? record : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || isMissing(error) || errnoCode(error) === 'EISDIR') return undefined;
    throw error;
  }
}

/** What a record names is moved and removed: nothing that a damaged one could say may lead out of the store. */
function isRecordSound(record: Partial<JournalRecord> | undefined | null): record is JournalRecord {
  if (typeof record?.id !== 'string' || !OPERATIONS.has(record.operation)) return false;
  const { name, version, upload } = record;
  const isName = (value: unknown) => typeof value === 'string' && isSafeFolderName(value);
  if (name === undefined && version === undefined) return upload === undefined;
  return isName(name) && isName(version) && (upload === undefined || upload === path.basename(upload));
}

const OPERATIONS: ReadonlySet<unknown> = new Set<JournalRecord['operation']>([
  'receive',
  'install',
  'uninstall',
]);

/** Writes the journal of a transaction, in place of an earlier one. */
export async function writeJournal(
  folder: string,
  record: JournalRecord,
  durability: Durability,
): Promise<void> {
  await writeJsonAtomic(path.join(folder, JOURNAL_FILE), record, durability);
}

/** A record for a new operation of this process. */
export async function newRecord(
  about: Omit<JournalRecord, 'format' | 'id' | 'holder' | 'started_at'>,
  life?: Life,
): Promise<JournalRecord> {
  return {
    format: 1,
    id: randomUUID(),
    ...about,
    holder: { ...(await ownIdentity()), life: life?.mark },
    started_at: new Date().toISOString(),
  };
}

function surroundings({ host, machine, bootId, pidNamespace }: ProcessIdentity): string {
  const text = [host, machine, bootId, pidNamespace].join('\n');
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
