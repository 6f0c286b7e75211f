import { lstat, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { OperationOptions } from '../../abort.js';
import type { ArchiveLimits } from '../../package/types.js';
import { ownBootId } from '../../process/identity.js';
import {
  type Durability,
  makeFolder,
  readJson,
  renameOver,
  syncFolder,
  writeJsonAtomic,
} from '../../store/atomic-file.js';
import { hashFile } from '../../store/hash-file.js';
import { acquireLock } from '../../store/lock.js';
import { removeTree } from '../../store/remove-tree.js';
import { makeWorkFolder, sweepWorkFolders } from '../../store/work-folder.js';
import type { Turns } from '../turns.js';
import type { StoreHelper } from './store-helper.js';
import { buildEntry, isSound, readEntry, treeOf, type WheelEntry, writeEntry } from './wheel-entry.js';

/** A folder of unpacked wheels, and whether each is on the disk before it is used. */
export interface SharedWheels {
  readonly root: string;
  readonly durability: Durability;
}

/** Hashes that are kept; the oldest go. */
const MOST = 2_000;

/**
 * SHA-256 of files, remembered by what tells a file's content apart without reading it: device, inode, size, and the
 * times of the last change of content and of anything. A lost or stale memory costs time, never correctness.
 */
export class FileHashes {
  readonly #file: string;
  #known: Promise<Map<string, string>> | undefined;
  #isChanged = false;

  constructor(file: string) {
    this.#file = file;
  }

  /** Hash of a file, in lower-case hex, where it is remembered. */
  async known(file: string): Promise<string | undefined> {
    return (await (this.#known ??= this.#load())).get(await mark(file));
  }

  /** Hash of a file, in lower-case hex. */
  async get(file: string, options: OperationOptions = {}): Promise<string> {
    const before = await mark(file);
    const known = await (this.#known ??= this.#load());
    const remembered = known.get(before);
    if (remembered !== undefined) return remembered;
    const sha256 = await hashFile(file, options);
    if ((await mark(file)) === before) {
      known.set(before, sha256);
      this.#isChanged = true;
    }
    return sha256;
  }

  /** Writes what was learned; another process's additions in the meantime may be lost, and are learned again. */
  async save(): Promise<void> {
    if (!this.#isChanged) return;
    this.#isChanged = false;
    const known = (await this.#known) ?? new Map<string, string>();
    await writeJsonAtomic(this.#file, Object.fromEntries([...known].slice(-MOST)), 'none');
  }

  async #load(): Promise<Map<string, string>> {
    const value = await readJson(this.#file).catch(() => undefined);
    const pairs = typeof value === 'object' && value !== null ? Object.entries(value) : [];
    return new Map(pairs.filter((pair): pair is [string, string] => typeof pair[1] === 'string'));
  }
}

async function mark(file: string): Promise<string> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
  return [dev, ino, size, mtimeNs, ctimeNs].join('/');
}

/** What a pruning removed. */
export interface WheelPruneReport {
  /** Wheels that no environment used. */
  removed: {
    /** Of the wheel file (hex). */
    sha256: string;
    /** Its name; empty where that could not be read. */
    file: string;
    /** Unpacked. */
    bytes: number;
  }[];
  /** How many are in use and stay. */
  kept: number;
}

/** A wheel that is wanted from the store. */
interface WantedWheel {
  path: string;
  sha256: string;
}

/** How a wheel is got. */
export interface EnsureOptions extends OperationOptions {
  /** Unpacks it. */
  helper: StoreHelper;
  /** Shared by all that are got side by side. */
  turns: Turns;
  onProgress?: (doneBytes: number, totalBytes: number) => void;
  /** What the wheel is held to. */
  limits?: Partial<ArchiveLimits>;
  /** Somebody wrote to its files: its content is read, and it is built anew when that has changed. */
  isSuspect?: boolean;
  /** What was its entry a moment ago. */
  known?: WheelEntry | undefined;
}

/** An entry and the folder it lies in. */
export interface StoredWheel {
  entry: WheelEntry;
  folder: string;
}

/** A build may take as long as unpacking gigabytes does. */
const BUILD_LOCK_MS = 30 * 60_000;

/**
 * Unpacked wheels by their SHA-256, shared by environments: `entries/<first two digits>/<sha256>/{tree/, files.jsonl,
 * entry.json}`, `building/` (work in progress, published by rename), `hashes.json`. The answers of interpreters are beside
 * it, in `interpreters.json`.
 */
export class WheelStore {
  readonly root: string;
  readonly hashes: FileHashes;
  /**
   * With `full`, each entry is on the disk before it is published: environments that link its files need not wait for
   * that again, and after a power cut it need not be read.
   */
  durability: Durability = 'none';
  #swept: Promise<void> | undefined;

  constructor(root: string) {
    this.root = path.resolve(root);
    this.hashes = new FileHashes(path.join(this.root, 'hashes.json'));
  }

  /** Folder of an entry, whether it is there or not. */
  folderOf(sha256: string): string {
    return path.join(this.root, 'entries', sha256.slice(0, 2), sha256);
  }

  /**
   * The unpacked wheel: built if it is not there, rebuilt if it is damaged. That nobody has written to its files since
   * is seen when they are linked.
   */
  async ensure(wheel: WantedWheel, options: EnsureOptions): Promise<StoredWheel> {
    await (this.#swept ??= this.sweep());
    const folder = this.folderOf(wheel.sha256);
    const read = options.known?.sha256 === wheel.sha256 ? options.known : await readEntry(folder);
    const known = options.isSuspect ? undefined : read;
    if (known && (await this.#isTrusted(known))) return { entry: known, folder };
    await using _lock = await acquireLock(`${folder}.lock`, {
      operation: `unpack ${path.basename(wheel.path)}`,
      timeoutMs: BUILD_LOCK_MS,
      signal: options.signal,
    });
    // Another process may have built it while this one waited.
    const built = await this.#sound(folder, options);
    if (built) return { entry: built, folder };
    return { entry: await this.#build(folder, wheel, options), folder };
  }

  /**
   * Removes entries that no environment uses. A hard link tells by itself; where environments hold clones or copies,
   * `isUsed` must tell.
   */
  async prune(
    options: OperationOptions & { isUsed?: (entry: WheelEntry) => Promise<boolean> } = {},
  ): Promise<WheelPruneReport> {
    await this.sweep();
    const report: WheelPruneReport = { removed: [], kept: 0 };
    for (const folder of await this.#entries()) {
      await using _lock = await acquireLock(`${folder}.lock`, {
        operation: 'prune wheels',
        signal: options.signal,
      });
      const entry = await readEntry(folder);
      if (entry && ((await isLinked(treeOf(folder))) || (await options.isUsed?.(entry)) === true)) {
        report.kept++;
        continue;
      }
      await this.#discard(folder);
      const { file = '', bytes = 0 } = entry ?? {};
      report.removed.push({ sha256: path.basename(folder), file, bytes });
    }
    return report;
  }

  /** Removes what builders that are gone have left. */
  async sweep(): Promise<void> {
    await removeTree(path.join(this.root, 'choices')); // what earlier releases remembered of pip's answers
    await sweepWorkFolders(this.#building);
  }

  async #sound(folder: string, options: EnsureOptions): Promise<WheelEntry | undefined> {
    const entry = await readEntry(folder);
    if (!entry) return undefined;
    if (this.#owesDisk(entry)) return undefined;
    const isCurrent = await this.#isTrusted(entry);
    if (isCurrent && !options.isSuspect) return entry;
    // Written to, or perhaps cut off by a power failure before it reached the disk: only its content can tell.
    if (!(await isSound(folder, entry, options))) return undefined;
    if (isCurrent) return entry;
    const renewed = { ...entry, boot_id: await ownBootId() };
    await writeEntry(folder, renewed);
    return renewed;
  }

  async #build(folder: string, wheel: WantedWheel, options: EnsureOptions): Promise<WheelEntry> {
    await using folderOfWork = await makeWorkFolder(this.#building);
    const work = folderOfWork.path;
    try {
      const content = path.join(work, 'content');
      const { durability } = this;
      const entry = await buildEntry(content, wheel, { ...options, durability });
      await writeEntry(content, entry);
      await this.#discard(folder);
      await makeFolder(path.dirname(folder), durability);
      await renameOver(content, folder);
      await syncFolder(path.dirname(folder), durability);
      return entry;
    } finally {
      await removeTree(work);
    }
  }

  /** Built when nobody asked for more than what the system does by itself. */
  #owesDisk({ durable = false }: WheelEntry): boolean {
    return this.durability === 'full' && !durable;
  }

  /** Whether its content is as it was verified, as far as power cuts go. */
  async #isTrusted(entry: WheelEntry): Promise<boolean> {
    if (this.#owesDisk(entry)) return false;
    return entry.durable === true || entry.boot_id === (await ownBootId());
  }

  /** Moved aside first, so that nobody meets half an entry. */
  async #discard(folder: string): Promise<void> {
    if (!(await lstat(folder).catch(() => undefined))) return;
    await using folderOfWork = await makeWorkFolder(this.#building);
    const work = folderOfWork.path;
    await renameOver(folder, path.join(work, 'old')).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    });
    await removeTree(work);
  }

  get #building(): string {
    return path.join(this.root, 'building');
  }

  async #entries(): Promise<string[]> {
    const root = path.join(this.root, 'entries');
    const found: string[] = [];
    for (const prefix of await readdir(root).catch(() => [])) {
      for (const name of await readdir(path.join(root, prefix)).catch(() => [])) {
        if (/^[0-9a-f]{64}$/.test(name)) found.push(path.join(root, prefix, name));
      }
    }
    return found.sort();
  }
}

/** Whether a file below the folder has a second name. Most often the first one looked at tells. */
async function isLinked(folder: string): Promise<boolean> {
  for (const child of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const full = path.join(folder, child.name);
    if (
      child.isDirectory()
        ? await isLinked(full)
        : ((await lstat(full).catch(() => undefined))?.nlink ?? 1) > 1
    )
      return true;
  }
  return false;
}
