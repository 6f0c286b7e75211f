import { throwIfAborted } from '../../abort.js';
import type { FileRange } from '../archive-types.js';
import type { ByteSource } from './byte-source.js';
import type { DirectoryEntry } from './central-directory.js';
import { isAscii, readExtraFields, unicodePathFor } from './entry-name.js';
import { quote, zipFault } from './fault.js';
import {
  CENTRAL_HEADER_BYTES,
  DATA_DESCRIPTOR,
  EXTRA_UNICODE_PATH,
  EXTRA_ZIP64,
  FLAG_DATA_DESCRIPTOR,
  FLAG_ENCRYPTED,
  FLAG_MASKED_HEADERS,
  FLAG_PATCHED,
  FLAG_STRONG_ENCRYPTION,
  FLAG_UTF8,
  LOCAL_HEADER,
  LOCAL_HEADER_BYTES,
  readUint64,
  SEE_ZIP64_32,
} from './format.js';

/** Flags that change what is read; the others are hints about the compressor. */
const COMPARED_FLAGS =
  FLAG_ENCRYPTED | FLAG_PATCHED | FLAG_STRONG_ENCRYPTION | FLAG_UTF8 | FLAG_MASKED_HEADERS;

/** From "version needed" to "length of the extra fields" both headers have the same fields (APPNOTE 4.3.7, 4.3.12). */
const SHARED_FIELDS = { local: 4, central: 6, bytes: 26 };

/**
 * Whether a local header says in the very same bytes what the directory says, with no extra field in either, and nothing
 * after the data: so it is with nearly all, and comparisons of text then take the place of reading field by field.
 *
 * @param window - bytes that the header, from `at`, lies in, one character each
 * @param directory - the central directory in the same way
 */
function isPlainHeader(window: string, at: number, entry: DirectoryEntry, directory: string): boolean {
  const { recordStart, recordEnd, rawName, flags, sizeBytes, compressedBytes, offset, end } = entry;
  const from = recordStart + SHARED_FIELDS.central;
  return (
    recordEnd - recordStart === CENTRAL_HEADER_BYTES + rawName.length &&
    end - offset === LOCAL_HEADER_BYTES + rawName.length + compressedBytes &&
    (flags & FLAG_DATA_DESCRIPTOR) === 0 &&
    sizeBytes < SEE_ZIP64_32 &&
    compressedBytes < SEE_ZIP64_32 &&
    window.startsWith('PK\u0003\u0004', at) &&
    window.startsWith(directory.slice(from, from + SHARED_FIELDS.bytes), at + SHARED_FIELDS.local) &&
    window.startsWith(rawName, at + LOCAL_HEADER_BYTES)
  );
}

/** The longest header and the longest descriptor there can be, besides name and data. */
export const MAX_LOCAL_EXTRA_BYTES = 0xffff;
export const MAX_DESCRIPTOR_BYTES = 24;

/** Bytes of an entry's local header without its extra field. */
export function minHeaderBytes(entry: DirectoryEntry): number {
  return LOCAL_HEADER_BYTES + entry.rawName.length;
}

/** Full length of a header, of which the fixed part must be there. */
function headerLength(fixed: Buffer): number {
  return LOCAL_HEADER_BYTES + fixed.readUInt16LE(26) + fixed.readUInt16LE(28);
}

/**
 * Holds a local header, and what follows the data, against the directory record: a reader that goes through the file
 * from the front must find the same entry.
 *
 * @param rest - the bytes from the end of the data to the start of the next record
 * @returns the fault in words, or undefined
 */
function localFault(header: Buffer, rest: Buffer, entry: DirectoryEntry): string | undefined {
  if (header.readUInt32LE(0) !== LOCAL_HEADER) {
    return 'has no local header where its directory record points';
  }
  const flags = header.readUInt16LE(6);
  const name = header.subarray(LOCAL_HEADER_BYTES, LOCAL_HEADER_BYTES + header.readUInt16LE(26));
  if (name.toString('latin1') !== entry.rawName) {
    return `has another name in its local header: ${quote(name.toString())}`;
  }
  const differing = (flags ^ entry.flags) & COMPARED_FLAGS;
  // The UTF-8 flag means nothing to a name in ASCII; some tools set it in one place only.
  if (differing & ~FLAG_UTF8 || (differing && !isAscii(entry.rawName))) {
    return disagreement('flags', flags, entry.flags);
  }
  const method = header.readUInt16LE(8);
  if (method !== entry.method) return disagreement('method', method, entry.method);
  const extra = readExtraFields(header, LOCAL_HEADER_BYTES + name.length, header.length);
  if (!extra) return 'has malformed extra fields in its local header';
  const path = extra.get(EXTRA_UNICODE_PATH);
  const unicode = path && unicodePathFor(name, path);
  // A reader that goes through the file from the front, and knows the field, would unpack to this path.
  if (unicode !== undefined && unicode !== entry.name) {
    return `has another name in the Unicode path field of its local header: ${quote(unicode)}`;
  }
  const hasDescriptor = (flags & FLAG_DATA_DESCRIPTOR) !== 0;
  return (
    contentFault(header, extra.get(EXTRA_ZIP64), entry, hasDescriptor) ??
    trailerFault(rest, entry, hasDescriptor)
  );
}

function contentFault(
  header: Buffer,
  zip64: Buffer | undefined,
  entry: DirectoryEntry,
  hasDescriptor: boolean,
): string | undefined {
  const crc = header.readUInt32LE(14);
  const compressed = header.readUInt32LE(18);
  const size = header.readUInt32LE(22);
  if (!mayBe(crc, entry.crc32, hasDescriptor)) return disagreement('CRC-32', crc, entry.crc32);
  const wide = zip64 && compressed === SEE_ZIP64_32 && size === SEE_ZIP64_32 && zip64.length >= 16;
  const actualSize = wide ? readUint64(zip64, 0) : size;
  const actualCompressed = wide ? readUint64(zip64, 8) : compressed;
  if (actualSize === undefined || !mayBe(actualSize, entry.sizeBytes, hasDescriptor)) {
    return disagreement('size', actualSize, entry.sizeBytes);
  }
  if (actualCompressed === undefined || !mayBe(actualCompressed, entry.compressedBytes, hasDescriptor)) {
    return disagreement('compressed size', actualCompressed, entry.compressedBytes);
  }
  return undefined;
}

/** With a descriptor the fields may be left at zero; if they are not, they must be right. */
function mayBe(value: number, expected: number, hasDescriptor: boolean): boolean {
  return value === expected || (hasDescriptor && value === 0);
}

function disagreement(what: string, local: number | undefined, central: number): string {
  return `its local header gives its ${what} as ${local ?? 'an impossible number'}, the directory as ${central}`;
}

/**
 * Holds what follows an entry's data against what must be there: nothing, or a data descriptor. Descriptors come with
 * and without signature, with sizes of 32 and of 64 bits, and nothing but their length tells them apart (APPNOTE 4.3.9).
 */
function trailerFault(rest: Buffer, entry: DirectoryEntry, hasDescriptor: boolean): string | undefined {
  if (!hasDescriptor) {
    return rest.length === 0 ? undefined : `is followed by ${rest.length} bytes that belong to no entry`;
  }
  if (rest.length === 0) {
    return 'should be followed by a data descriptor, but none is there: a tool that changed the archive dropped it';
  }
  const isWide = rest.length === 20 || rest.length === 24;
  const hasSignature = rest.length === 16 || rest.length === 24;
  if (!isWide && !hasSignature && rest.length !== 12) {
    return `should be followed by a data descriptor, but ${rest.length} bytes are there`;
  }
  if (hasSignature && rest.readUInt32LE(0) !== DATA_DESCRIPTOR)
    return 'has a data descriptor without its signature';
  const at = hasSignature ? 4 : 0;
  const compressed = isWide ? readUint64(rest, at + 4) : rest.readUInt32LE(at + 4);
  const size = isWide ? readUint64(rest, at + 12) : rest.readUInt32LE(at + 8);
  const agrees =
    rest.readUInt32LE(at) === entry.crc32 && compressed === entry.compressedBytes && size === entry.sizeBytes;
  return agrees ? undefined : 'has a data descriptor that disagrees with the directory';
}

/** Reads of headers whose gap is smaller than this are one read: seeking costs more than the bytes. */
const MERGE_GAP_BYTES = 16 * 1024;
const MAX_WINDOW_BYTES = 64 * 1024;
/** Windows that are read side by side, up to so many and so many bytes: they are waited for once. */
const BATCH_WINDOWS = 64;
const BATCH_BYTES = 512 * 1024;
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
