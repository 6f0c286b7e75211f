import { throwIfAborted } from '../../abort.js';
import type { FileRange } from '../archive-types.js';
import type { ByteSource } from './byte-source.js';
import type { DirectoryEntry } from './central-directory.js';
import { zipFault } from './fault.js';
import { LOCAL_HEADER_BYTES } from './format.js';
import { headerLength, isPlainHeader, localFault, minHeaderBytes } from './local-header.js';

/** Reads of headers whose gap is smaller than this are one read: seeking costs more than the bytes. */
const MERGE_GAP_BYTES = 16 * 1024;
const MAX_WINDOW_BYTES = 64 * 1024;
/** Windows that are read side by side, up to so many and so many bytes: they are waited for once. */
const BATCH_WINDOWS = 64;
const BATCH_BYTES = 2 * 1024 * 1024;
/** Up to so many bytes an entry, one text of a window of several costs less than one of each header. */
const DENSE_BYTES = 1024;

/** For so many entries the reads are planned at a time, so that a plan takes no memory to speak of. */
const ENTRIES_AT_ONCE = 1024;

/** What opening an archive may spend on its local headers. */
const CHEAP_WINDOWS = 512;
const CHEAP_BYTES = 16 * 1024 * 1024;

const NOTHING = Buffer.alloc(0);

/** A stretch of the file to look at, and which of the entries start in it. */
interface Window extends FileRange {
  firstEntry: number;
  endEntry: number;
}

/** Gives bytes of the archive. */
type BytesAt = (position: number, length: number) => Buffer;

/**
 * Holds every local header and data descriptor against the directory.
 *
 * When it is done is a matter of cost. 10,000 entries of 100 KB each lie 10,000 seeks apart, seconds on a slow disk,
 * for a look into a package that may never be unpacked. So opening checks them all when they lie close together or are
 * few, which is so for every package but the largest; else each is checked when its entry is read, and all of them
 * before unpacking writes its first byte.
 */
export class EntryChecker {
  readonly #source: ByteSource;
  readonly #entries: readonly DirectoryEntry[];
  /** The central directory that the archive was opened with, one character a byte. */
  readonly directory: string;

  /**
   * @param entries - in the order in which they lie
   * @param directory - the central directory, one character a byte
   */
  constructor(source: ByteSource, entries: readonly DirectoryEntry[], directory: string) {
    this.#source = source;
    this.#entries = entries;
    this.directory = directory;
  }

  /** Checks all entries if that costs little. */
  async checkIfCheap(signal?: AbortSignal): Promise<void> {
    const windows = planWindows(this.#entries, CHEAP_WINDOWS + 1);
    if (windows.length > CHEAP_WINDOWS || bytesIn(windows) > CHEAP_BYTES) return;
    await this.#checkWindows(windows, this.#entries, signal);
  }

  /** Checks all entries that were not checked yet. */
  async checkAll(signal?: AbortSignal): Promise<void> {
    for (let from = 0; from < this.#entries.length; from += ENTRIES_AT_ONCE) {
      const some = this.#entries.slice(from, from + ENTRIES_AT_ONCE);
      const unchecked = some.filter(({ dataStart }) => dataStart === undefined);
      await this.#checkWindows(planWindows(unchecked), unchecked, signal);
    }
  }

  /** Where the data of one entry starts, its header checked. */
  dataStart(entry: DirectoryEntry): number {
    entry.dataStart ??= this.#checkByItself(entry);
    return entry.dataStart;
  }

  /** Where the data of one entry lies, its header checked. */
  range(entry: DirectoryEntry): FileRange {
    return { offset: this.dataStart(entry), length: entry.compressedBytes };
  }

  #checkByItself(entry: DirectoryEntry): number {
    return this.#check(entry, (position, length) => this.#source.readSync(position, length));
  }

  async #checkWindows(
    windows: readonly Window[],
    entries: readonly DirectoryEntry[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    let buffer = NOTHING;
    for (const batch of inBatches(windows)) {
      throwIfAborted(signal, 'reading of the archive');
      const bytes = bytesIn(batch);
      if (buffer.length < bytes) buffer = Buffer.allocUnsafe(bytes);
      await this.#source.readEach(batch, buffer);
      let at = 0;
      for (const window of batch) {
        this.#checkWindow(window, buffer, at, entries);
        at += window.length;
      }
    }
  }

  /** @param at - where in the buffer the window lies */
  #checkWindow(window: Window, bytes: Buffer, at: number, entries: readonly DirectoryEntry[]): void {
    const { firstEntry, endEntry } = window;
    const count = endEntry - firstEntry;
    const isDense = count > 1 && window.length <= count * DENSE_BYTES;
    const whole = isDense ? bytes.toString('latin1', at, at + window.length) : '';
    for (let index = firstEntry; index < endEntry; index++) {
      const entry = entries[index];
      if (!entry || entry.dataStart !== undefined) continue;
      const least = minHeaderBytes(entry);
      const start = entry.offset - window.offset;
      const isPlain = isDense
        ? isPlainHeader(whole, start, entry, this.directory)
        : isPlainHeader(bytes.toString('latin1', at + start, at + start + least), 0, entry, this.directory);
      entry.dataStart = isPlain ? entry.offset + least : this.#check(entry, this.#loaded(window, bytes, at));
    }
  }

  /** What runs past a window is read by itself. */
  #loaded(window: Window, bytes: Buffer, at: number): BytesAt {
    return (position, length) => {
      const start = at + position - window.offset;
      return position + length <= window.offset + window.length
        ? bytes.subarray(start, start + length)
        : this.#source.readSync(position, length);
    };
  }

  /** @returns where the data start */
  #check(entry: DirectoryEntry, bytesAt: BytesAt): number {
    const { offset, end, compressedBytes } = entry;
    const headerBytes = headerLength(bytesAt(offset, LOCAL_HEADER_BYTES));
    const restBytes = end - offset - headerBytes - compressedBytes;
    if (restBytes < 0) {
      throw zipFault(this.#source.path, 'has a local header that leaves no room for its data', entry.name);
    }
    const rest = restBytes === 0 ? NOTHING : bytesAt(end - restBytes, restBytes);
    const fault = localFault(bytesAt(offset, headerBytes), rest, entry);
    if (fault !== undefined) throw zipFault(this.#source.path, fault, entry.name);
    return offset + headerBytes;
  }
}

/**
 * The stretches to read: from each header to its data, with room for a short extra field. A descriptor lies directly
 * before the next header, so it comes with that window; what a window misses is read by itself.
 *
 * @param most - so many are planned at most
 */
function planWindows(entries: readonly DirectoryEntry[], most = Infinity): Window[] {
  const windows: Window[] = [];
  let current: Window | undefined;
  for (let index = 0, entry = entries[0]; entry; entry = entries[++index]) {
    const { offset } = entry;
    const end = Math.min(entry.end, offset + minHeaderBytes(entry) + 64);
    if (
      current &&
      offset - current.offset - current.length <= MERGE_GAP_BYTES &&
      end - current.offset <= MAX_WINDOW_BYTES
    ) {
      current.length = end - current.offset;
      current.endEntry = index + 1;
    } else {
      if (windows.length === most) break;
      current = { offset, length: end - offset, firstEntry: index, endEntry: index + 1 };
      windows.push(current);
    }
  }
  return windows;
}

function* inBatches(windows: readonly Window[]): Generator<Window[]> {
  let from = 0;
  let bytes = 0;
  for (let to = 0, next = windows[0]; next; next = windows[++to]) {
    if (to - from === BATCH_WINDOWS || (to > from && bytes + next.length > BATCH_BYTES)) {
      yield windows.slice(from, to);
      from = to;
      bytes = 0;
    }
    bytes += next.length;
  }
  if (from < windows.length) yield windows.slice(from);
}

function bytesIn(windows: readonly Window[]): number {
  return windows.reduce((sum, { length }) => sum + length, 0);
}
