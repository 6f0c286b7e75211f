import { stat } from 'node:fs/promises';
import path from 'node:path';
import { requirePeer } from '../../assets.js';
import { namesIn } from '../../store/names-in.js';

/** One change of a batch. */
export type Change = { type: 'put'; key: string; value: Buffer } | { type: 'del'; key: string };

/** Which entries to read. */
export interface Range {
  gte: string;
  lt: string;
  reverse?: boolean;
  limit?: number;
}

/** What is read of a store to look at it. */
export interface LevelReader {
  get(key: string): Promise<Buffer | undefined>;
  iterator(range: Range): AsyncIterable<[string, Buffer]>;
}

/** A batch in the making. */
interface ChangeByChange {
  put(key: string, value: Buffer): unknown;
  del(key: string): unknown;
  write(options: { sync: boolean }): Promise<void>;
  close(): Promise<void>;
}

/**
 * Writes all of the changes or none; they are on the disk when it resolves. Change by change: a list of objects takes the host three
 * times as long to hand over.
 */
export async function writeChanges(database: LevelDatabase, changes: readonly Change[]): Promise<void> {
  const batch = database.batch();
  try {
    for (const change of changes) {
      if (change.type === 'put') batch.put(change.key, change.value);
      else batch.del(change.key);
    }
    await batch.write({ sync: true });
  } finally {
    await batch.close();
  }
}

/** The part of classic-level (LevelDB) that is used here. It is an optional peer dependency. */
export interface LevelDatabase extends LevelReader {
  open(): Promise<void>;
  close(): Promise<void>;
  getMany(keys: string[]): Promise<(Buffer | undefined)[]>;
  /** All of the changes or none, also after a power cut; with `sync` they are on the disk when it resolves. */
  batch(changes: Change[], options: { sync: boolean }): Promise<void>;
  /** The same, change by change. */
  batch(): ChangeByChange;
  keys(range: Range): AsyncIterable<string>;
  /** Gives the room of removed entries between two keys back to the disk. */
  compactRange(start: string, end: string): Promise<void>;
}

interface ClassicLevel {
  ClassicLevel: new (folder: string, options: object) => LevelDatabase;
}

/**
 * A store that begins to open by itself, at once: what must not be made or altered is looked at before.
 *
 * @throws RunnerError `invalid_params` where the optional peer is not installed
 */
export function levelDatabase(
  folder: string,
  { createIfMissing = true, load }: { createIfMissing?: boolean; load?: (name: string) => unknown } = {},
): LevelDatabase {
  const module = requirePeer('Outbox.open()', 'classic-level', { load }) as ClassicLevel;
  // Keys are ASCII. Values are bytes as they are: an encoding of values could change what was hashed.
  return new module.ClassicLevel(folder, { keyEncoding: 'utf8', valueEncoding: 'buffer', createIfMissing });
}

/** Whether there is a store in a folder: its file CURRENT names what belongs to it. */
export async function hasStore(folder: string): Promise<boolean> {
  return (await stat(path.join(folder, 'CURRENT')).catch(() => undefined))?.isFile() === true;
}

/**
 * Whether a folder has files of a store that has lost its CURRENT. LevelDB would make a new store there, and remove them as left over.
 */
export async function isHeadless(folder: string): Promise<boolean> {
  if (await hasStore(folder)) return false;
  // A store whose making was cut off has its first MANIFEST alone. What cannot be read LevelDB complains of itself.
  const names = await namesIn(folder).catch(() => []);
  return names.some((name) => /\.(?:ldb|sst|log)$|^MANIFEST-(?!0*1$)/.test(name));
}

/** What an error of LevelDB says in one line: that of the system is in its cause. */
export function levelFault(error: unknown): string {
  const { message, cause } = error as { message?: string; cause?: unknown };
  if (cause instanceof Error) return levelFault(cause);
  return (message ?? String(error)).replace(/^IO error: /, '');
}

/** Whether another process, or another outbox of this one, has the database open. */
export function isLocked(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ((at as NodeJS.ErrnoException).code === 'LEVEL_LOCKED') return true;
  }
  return false;
}
