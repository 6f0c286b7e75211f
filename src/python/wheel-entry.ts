import { lstatSync } from 'node:fs';
import { lstat, mkdir, readFile, utimes } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import { openArchive } from '../package/archive.js';
import { ownIdentity } from '../process/identity.js';
import { readJson, writeJsonAtomic } from '../store/atomic-file.js';
import { parseEntryPoints, type EntryPoints } from './entry-points.js';
import { checkRows, parseRecord, readIdentity, type RecordFault, type RecordRow } from './record.js';

/** A file of an unpacked wheel. */
export interface StoredFile {
  /** Path in the wheel, with `/`. */
  path: string;
  size: number;
  /** Modification time in ms; another one means that somebody wrote to the file. */
  mtime: number;
  executable: boolean;
}

/** What the store knows of an unpacked wheel: `entry.json` beside its `tree/`, written last. */
export interface WheelEntry {
  format: 1;
  sha256: string;
  /** File name of the wheel it was made from. */
  file: string;
  name: string;
  version: string;
  /** Its `.dist-info` folder. */
  info: string;
  /** Whether its root goes to purelib rather than platlib. */
  purelib: boolean;
  files: StoredFile[];
  record: RecordRow[];
  scripts: EntryPoints;
  /** Boot in which the content was last known to be good; after another one it is read anew, once. */
  boot_id: string;
}

/** Two keep two cores busy; the memory of more would count in a host that does other things. */
const LANES = 2;
/** Files looked at in one turn of the event loop: well under a millisecond on a local disk. */
const GROUP = 64;
const ENTRY_FILE = 'entry.json';
const DIST_INFO = /^[^/]+\.dist-info$/;

/** Folder of an entry's unpacked wheel. */
export const treeOf = (folder: string): string => path.join(folder, 'tree');

/**
 * Unpacks a wheel into `folder`, verified by its RECORD and made read-only.
 *
 * @throws RunnerError `install_failed` for a wheel that is not as its RECORD says or breaks PEP 427; `invalid_zip`
 */
export async function buildEntry(
  folder: string,
  wheel: { path: string; sha256: string },
  options: OperationOptions & { onProgress?: (doneBytes: number, totalBytes: number) => void },
): Promise<WheelEntry> {
  const tree = treeOf(folder);
  await mkdir(folder, { recursive: true });
  const digests = new Map<string, { sha256: Buffer; size: number; executable: boolean }>();
  {
    await using archive = await openArchive(wheel.path, { signal: options.signal });
    await archive.extract(tree, {
      signal: options.signal,
      lanes: LANES,
      readOnly: true,
      onProgress: options.onProgress,
      onFile: ({ name, sizeBytes, mode = 0 }, sha256) => {
        digests.set(name, { sha256, size: sizeBytes, executable: (mode & 0o111) !== 0 });
      },
    });
  }
  const faulty = (what: string) =>
    new RunnerError('install_failed', `The wheel ${wheel.path} ${what}. Have it built or delivered again`, {
      details: { path: wheel.path, stage: 'unpack' },
    });
  const infos = new Set(
    [...digests.keys()].map((name) => name.split('/')[0] ?? '').filter((name) => DIST_INFO.test(name)),
  );
  const [info = ''] = infos;
  if (infos.size !== 1) throw faulty(`has ${infos.size} .dist-info folders, not one`);
  const text = (name: string) => readFile(path.join(tree, info, name), 'utf8').catch(() => undefined);
  const wheelText = await text('WHEEL');
  if (!/^Wheel-Version:\s*1\./m.test(wheelText ?? '')) throw faulty('has no WHEEL file of version 1');
  const recordText = await text('RECORD');
  if (recordText === undefined) throw faulty('has no RECORD');
  const identity = await readIdentity(path.join(tree, info));
  if (!identity) throw faulty('has no METADATA with Name and Version');
  const record = parseRecord(recordText);
  const fault = recordFault(record, digests);
  if (fault !== undefined) throw faulty(fault);

  const files: StoredFile[] = [];
  const next = digests.entries();
  const lane = async () => {
    for (const [name, { size, executable }] of next) {
      files.push({ path: name, size, executable, mtime: (await lstat(path.join(tree, name))).mtimeMs });
    }
  };
  await Promise.all(Array.from({ length: 16 }, lane));
  return {
    format: 1,
    sha256: wheel.sha256,
    file: path.basename(wheel.path),
    ...identity,
    info,
    purelib: /^Root-Is-Purelib:\s*true\s*$/im.test(wheelText ?? ''),
    files: files.sort((a, b) => (a.path < b.path ? -1 : 1)),
    record,
    scripts: parseEntryPoints((await text('entry_points.txt')) ?? ''),
    boot_id: (await ownIdentity()).bootId,
  };
}

function recordFault(
  record: readonly RecordRow[],
  digests: ReadonlyMap<string, { sha256: Buffer; size: number }>,
): string | undefined {
  for (const row of record) {
    if (row.hash === '') continue;
    const found = digests.get(row.path);
    if (!found) return `has no ${row.path}, which its RECORD lists`;
    const [algorithm, digest] = row.hash.split(/=(.*)/s);
    if (algorithm !== 'sha256') continue; // read again, with its own algorithm, when the entry is checked
    if (found.sha256.toString('base64url') !== digest)
      return `has a ${row.path} that differs from its RECORD`;
  }
  return undefined;
}

/** Writes the marker that makes an entry complete. */
export async function writeEntry(folder: string, entry: WheelEntry): Promise<void> {
  await writeJsonAtomic(path.join(folder, ENTRY_FILE), entry, 'none');
}

/** The entry in a folder; undefined when there is none, or none that can be read. */
export async function readEntry(folder: string): Promise<WheelEntry | undefined> {
  const value = await readJson(path.join(folder, ENTRY_FILE)).catch(() => undefined);
  const isEntry = typeof value === 'object' && value !== null && 'format' in value && value.format === 1;
  return isEntry ? (value as WheelEntry) : undefined;
}

/**
 * Files that somebody wrote to, told by size and time: no content is read. Looked at in small groups without waiting
 * for a thread each time, which takes ten times as long as the looking; the event loop turns after each group.
 */
export async function touchedFiles(folder: string, entry: WheelEntry): Promise<StoredFile[]> {
  const touched: StoredFile[] = [];
  for (const [index, file] of entry.files.entries()) {
    if (index % GROUP === GROUP - 1) await setImmediate();
    const found = lstatSync(path.join(treeOf(folder), file.path), { throwIfNoEntry: false });
    if (!found?.isFile() || found.size !== file.size || found.mtimeMs !== file.mtime) touched.push(file);
  }
  return touched;
}

/** Reads every file that RECORD gives a hash for. */
export async function checkEntry(
  folder: string,
  entry: WheelEntry,
  options: OperationOptions = {},
): Promise<RecordFault[]> {
  const tree = treeOf(folder);
  const resolve = (row: RecordRow) => {
    const file = path.resolve(tree, row.path);
    return file.startsWith(tree + path.sep) ? file : undefined;
  };
  return checkRows(entry.record, resolve, options);
}

/** Gives files whose content was found good the time that is on record: they were touched, not changed. */
export async function resetTimes(folder: string, files: readonly StoredFile[]): Promise<void> {
  for (const file of files) {
    const time = new Date(file.mtime);
    await utimes(path.join(treeOf(folder), file.path), time, time);
    file.mtime = (await lstat(path.join(treeOf(folder), file.path))).mtimeMs;
  }
}
