import path from 'node:path';
import { RunnerError } from '../../errors.js';
import { hasStore, isLocked, levelDatabase, levelFault, type LevelDatabase } from '../storage/level.js';

/** The store of an outbox that no host has open. @throws RunnerError `not_found`, `lock_timeout`, `store_failed` */
export async function openedStore(folder: string): Promise<LevelDatabase> {
  const records = path.join(folder, 'records');
  // LevelDB would make a store where there is none, or at least write its own log there.
  if (!(await hasStore(records))) throw noOutbox(folder);
  const database = levelDatabase(records, { createIfMissing: false });
  try {
    await database.open();
  } catch (cause) {
    if (isLocked(cause)) {
      throw new RunnerError(
        'lock_timeout',
        `The outbox in ${folder} is open: close its host first, or verify a copy that was made while it was closed`,
        { cause, details: { path: folder, timeoutMs: 0 } },
      );
    }
    throw new RunnerError('store_failed', `The outbox in ${folder} cannot be read: ${levelFault(cause)}`, {
      cause,
      details: { path: folder },
    });
  }
  return database;
}

function noOutbox(folder: string): RunnerError {
  return new RunnerError(
    'not_found',
    `${folder} is no outbox: it has no store in records/. Give the folder that Outbox.open() got, or that folder names in the file of ` +
      'serve --outbox: what a receiver or an export has written has no receipts',
    { details: { path: folder } },
  );
}
