import { lstat, mkdir, open, readdir, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { abortError, throwIfAborted } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { syncFile } from '../../store/atomic-file.js';
import { makeFolders as makeWithThoseAbove, plainPath } from '../../store/plain-path.js';
import { removeTree } from '../../store/remove-tree.js';
import { installRefused } from '../../store/store-error.js';
import type { Archive, ArchiveEntry } from '../archive-types.js';
import { nameFault } from './entry-name.js';
import { zipFault } from './fault.js';
import type { LoadedArchive } from './load-archive.js';
import { NameTree } from './name-tree.js';
import { confirmDirectory } from './second-reading.js';
import { type PlacedFile, planTasks } from './unpack-plan.js';
import { unpackBatch, type UnpackContext, unpackLarge } from './unpack-task.js';

/** Where everything goes: paths relative to the target, with `/` between segments. */
interface Placement {
  /** Folders, each after the one it lies in. */
  folders: string[];
  /** Files in the order in which they lie in the archive. */
  files: PlacedFile[];
  /** Sum of the files' unpacked sizes. */
  bytes: number;
}

/**
 * Applies a mapping of entries to paths; without one they go where their names say. A mapping may bring together what
 * the archive kept apart, so its results are held to the same rules as names in an archive.
 *
 * @throws RunnerError `invalid_zip` when a path is unsafe or taken
 */
function placeEntries(
  { source, inPlace, checker }: LoadedArchive,
  place: ((entry: ArchiveEntry) => string | undefined) | undefined,
): Placement {
  const targets = place && inPlace.map((entry) => place(entry)?.replace(/\/+$/, ''));
  // Names that stay as they are were held against each other when the archive was opened.
  const isMapped = targets?.some((to, index) => to !== undefined && to !== inPlace[index]?.name) ?? false;
  const names = isMapped ? new NameTree() : undefined;
  const folders = new Set<string>();
  const files: PlacedFile[] = [];
  let bytes = 0;
  inPlace.forEach((entry, index) => {
    const to = targets ? targets[index] : entry.name;
    // A folder may be mapped to the target itself: that is how a project folder is stripped.
    if (to === undefined || (to === '' && entry.isDirectory)) return;
    const fault = names && (nameFault(to) ?? names.add({ name: to, isDirectory: entry.isDirectory }));
    if (fault !== undefined) {
      const { fault: why, remedy } = typeof fault === 'string' ? { fault, remedy: undefined } : fault;
      const text = `cannot be unpacked to ${JSON.stringify(to)}: ${why}`;
      throw zipFault(source.path, text, entry.name, { remedy });
    }
    if (entry.isDirectory) {
      addFolder(folders, to);
    } else {
      addFolder(folders, parentOf(to));
      files.push({
        to,
        entry,
        offset: source.start + checker.dataStart(entry),
        length: entry.compressedBytes,
      });
      bytes += entry.sizeBytes;
    }
  });
  return { folders: [...folders], files, bytes };
}

/** Keeps the order of the set such that a folder comes after the one it lies in. */
function addFolder(folders: Set<string>, folder: string): void {
  if (folder === '' || folders.has(folder)) return;
  addFolder(folders, parentOf(folder));
  folders.add(folder);
}

function parentOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('/')));
}

/** What {@link extractEntries} works on. */
interface Extraction {
  archive: LoadedArchive;
  target: string;
  /** See {@link Archive.extract}. */
  place: ((entry: ArchiveEntry) => string | undefined) | undefined;
  durable: boolean;
  readOnly: boolean;
  onProgress: ((doneBytes: number, totalBytes: number) => void) | undefined;
  onFile: ((entry: ArchiveEntry, sha256: Buffer) => void) | undefined;
  unpackFiles: NonNullable<Parameters<Archive['extract']>[1]>['unpackFiles'];
  /** Has the last word on what was written: what it throws removes it. */
  confirm: (() => Promise<void>) | undefined;
  lanes: number;
  signal: AbortSignal;
}

/** Tasks under way at once: enough to keep disk, inflating threads and the event loop busy together. */
export const DEFAULT_LANES = 4;

/**
 * Unpacks into an empty or absent folder. Everything that can be known from headers is checked before the first byte
 * is written; the first fault after that stops all lanes and removes what was written.
 */
export async function extractEntries(extraction: Extraction): Promise<{ files: number; bytes: number }> {
  const { archive, signal } = extraction;
  const { source, checker } = archive;
  await checker.checkAll(signal);
  const placement = placeEntries(archive, extraction.place);
  const files = placement.files.length;
  if (!extraction.unpackFiles) {
    const { directory, entries } = archive;
    const records = await source.read(directory.offset, directory.length);
    await confirmDirectory(source.path, records, entries, signal);
  }
  throwIfAborted(signal, WHAT);

  const target = path.resolve(extraction.target);
  let made: MadeTarget | undefined;
  try {
    made = await prepareTarget(target);
    await makeFolders(target, placement.folders);
    if (extraction.unpackFiles) {
      archive.placed = placement.files;
      await runElsewhere(extraction, placement, extraction.unpackFiles);
    } else await runTasks(extraction, target, placement);
    await extraction.confirm?.();
    if (extraction.durable) await syncFolders(target, placement.folders);
    return { files, bytes: placement.bytes };
  } catch (error) {
    if (made) await removeWritten(target, made);
    throw asRunnerError(error, target, signal);
  } finally {
    placement.files.length = 0; // for the reason that ZipArchive.forget() gives
  }
}

const WHAT = 'unpacking of the archive';

/** What was there before: `first` is the outermost folder that had to be made, if any. */
interface MadeTarget {
  first: string | undefined;
}

/** Creates the target, or sees that it is an empty folder. */
async function prepareTarget(target: string): Promise<MadeTarget> {
  const there = await lstat(target).catch(() => undefined);
  if (!there) return { first: await makeWithThoseAbove(target) };
  if (!there.isDirectory()) {
    throw new RunnerError('invalid_params', `${target} is not a folder: nothing is unpacked there`);
  }
  if ((await readdir(target)).length > 0) {
    throw new RunnerError('invalid_params', `${target} is not empty: nothing is unpacked there`);
  }
  return { first: undefined };
}

/** Not recursive: a folder that is there already was not made by us, and would be no safe ground. */
async function makeFolders(target: string, folders: readonly string[]): Promise<void> {
  for (const folder of folders) await mkdir(path.join(target, folder));
}

async function runElsewhere(
  { onProgress, signal }: Extraction,
  { files, bytes }: Placement,
  unpackFiles: NonNullable<Extraction['unpackFiles']>,
): Promise<void> {
  await unpackFiles(files, { signal, onProgress: (done) => onProgress?.(done, bytes) });
}

async function runTasks(extraction: Extraction, target: string, placement: Placement): Promise<void> {
  const { durable, onProgress } = extraction;
  const { source, checker } = extraction.archive;
  const tasks = planTasks(placement.files);
  let doneBytes = 0;
  const failing = new AbortController();
  const signal = AbortSignal.any([extraction.signal, failing.signal]);
  const context: UnpackContext = {
    source,
    checker,
    durable,
    readOnly: extraction.readOnly,
    onFile: extraction.onFile,
    signal,
    pathOf: (to) => path.join(target, to),
    progress: (bytes) => {
      doneBytes += bytes;
      onProgress?.(doneBytes, placement.bytes);
    },
  };
  const next = tasks[Symbol.iterator]();
  const lane = async () => {
    for (const task of next) {
      throwIfAborted(signal, WHAT);
      await (task.kind === 'batch' ? unpackBatch(task, context) : unpackLarge(task, context));
    }
  };
  let fault: { error: unknown } | undefined;
  const lanes = Array.from({ length: Math.min(extraction.lanes, tasks.length) }, () =>
    lane().catch((error: unknown) => {
      fault ??= { error };
      failing.abort(error);
    }),
  );
  // Every lane ends before anything is removed: none may write afterwards.
  await Promise.all(lanes);
  if (fault) throw fault.error;
  if (placement.bytes === 0) onProgress?.(0, 0);
}

async function removeWritten(target: string, { first }: MadeTarget): Promise<void> {
  for (const name of await readdir(target)) {
    await removeTree(path.join(target, name));
  }
  if (first === undefined) return;
  // Folders above the target go only while they are empty: somebody else may have put something there since.
  for (let folder = target; plainPath(folder).length >= first.length; folder = path.dirname(folder)) {
    const isGone = await rmdir(folder).then(
      () => true,
      () => false,
    );
    if (!isGone) return;
  }
}

/** Folders from the innermost out, so that none is on disk without what it holds. Windows has no such call. */
async function syncFolders(target: string, folders: readonly string[]): Promise<void> {
  if (process.platform === 'win32') return;
  for (const folder of [...folders].reverse().concat('')) {
    const handle = await open(path.join(target, folder), 'r');
    try {
      await syncFile(handle);
    } finally {
      await handle.close();
    }
  }
}

function asRunnerError(error: unknown, target: string, signal: AbortSignal): unknown {
  if (signal.aborted) return abortError(signal, WHAT);
  if (RunnerError.is(error) || !(error instanceof Error && 'syscall' in error)) return error;
  const file = 'path' in error && typeof error.path === 'string' ? error.path : target;
  return installRefused(error, `${file} cannot be written: ${error.message}`, { path: file });
}
