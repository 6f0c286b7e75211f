import type { ArchiveEntry } from '../archive-types.js';
import type { NameEncoding } from '../types.js';
import { isAscii, isPlainName, readExtraFields, readName, unicodeOf } from './entry-name.js';
import { COPY_AGAIN, INSTEAD_OF_LINK, TAKE_OUT, zipFault, type Fault } from './fault.js';
import {
  CENTRAL_HEADER,
  CENTRAL_HEADER_BYTES,
  DEFLATED,
  EXTRA_UNICODE_PATH,
  EXTRA_ZIP64,
  FLAG_ENCRYPTED,
  FLAG_MASKED_HEADERS,
  FLAG_PATCHED,
  FLAG_STRONG_ENCRYPTION,
  FLAG_UTF8,
  NEWEST_VERSION,
  readUint64,
  SEE_ZIP64_16,
  SEE_ZIP64_32,
  STORED,
  ZSTANDARD,
} from './format.js';
import { READS_ZSTANDARD } from './decompression.js';
import { chooseNameEncoding, type ChosenEncoding, type Sample } from './name-encoding.js';

/** An entry with what is needed to find its bytes. */
export interface DirectoryEntry extends ArchiveEntry {
  /** Name as it stands in the archive: its bytes, one character each. */
  readonly rawName: string;
  readonly flags: number;
  /** Where its record starts in the directory, and where the next one does. */
  readonly recordStart: number;
  readonly recordEnd: number;
  /** Position of the local header. */
  readonly offset: number;
  /** Where the next entry starts, or the directory; known once the entries are mapped. */
  end: number;
  /** Where its data start; known once the local header was checked. */
  dataStart: number | undefined;
}

/** Unix and macOS (APPNOTE 4.4.2). */
const UNIX_SYSTEMS: ReadonlySet<number> = new Set([3, 19]);

const FILE_TYPE = 0o170000;
const REGULAR_FILE = 0o100000;
const FOLDER = 0o040000;
const LINK = 0o120000;
const SET_USER_OR_GROUP = 0o6000;

/** In the attributes of MS-DOS, which 7-Zip goes by. */
const DOS_FOLDER = 0x10;
const MARKED_AS_FOLDER = 'is named as a file, but marked as a folder';

const SPECIAL_FILES: ReadonlyMap<number, string> = new Map([
  [LINK, 'a symbolic link'],
  [0o010000, 'a named pipe'],
  [0o020000, 'a character device'],
  [0o060000, 'a block device'],
  [0o140000, 'a socket'],
]);

/**
 * The entries of a central directory, in its order.
 *
 * @param text - the directory once more, one character a byte: names are parts of it, not conversions of their own
 * @throws RunnerError `invalid_zip` at the first record that is malformed or describes what a package must not have:
 * encryption, an unknown method, a special file, a name that is unsafe on any platform.
 */
export function readDirectory(
  archive: string,
  directory: Buffer,
  text: string,
  count: number,
  nameEncoding?: NameEncoding,
): { entries: DirectoryEntry[]; nameDoubt?: string } {
  const entries: DirectoryEntry[] = [];
  // A view, whose readers are built in: those of a buffer run uncompiled for most of a first directory.
  const view = new DataView(directory.buffer, directory.byteOffset, directory.length);
  let chosen: ChosenEncoding | undefined = nameEncoding && { encoding: nameEncoding };
  const encoding = () => (chosen ??= chooseNameEncoding([...unsaidNames(directory, view)])).encoding;
  let at = 0;
  for (let index = 0; index < count; index++) {
    const next = recordEnd(archive, view, at, index);
    entries.push(readRecord(archive, directory, { view, text, encoding }, at, next));
    at = next;
  }
  if (at !== directory.length) {
    throw zipFault(
      archive,
      `its directory has ${directory.length - at} bytes after the ${count} entries that were announced`,
    );
  }
  return { entries, ...(chosen?.doubt !== undefined && { nameDoubt: chosen.doubt }) };
}

/** Names that are not ASCII and do not say in what they are encoded, of the records as far as they are in order. */
function* unsaidNames(directory: Buffer, view: DataView): Generator<Sample, void, undefined> {
  for (let at = 0; at + CENTRAL_HEADER_BYTES <= directory.length;) {
    const nameStart = at + CENTRAL_HEADER_BYTES;
    const nameEnd = nameStart + view.getUint16(at + 28, true);
    const extraEnd = nameEnd + view.getUint16(at + 30, true);
    if (view.getUint32(at, true) !== CENTRAL_HEADER || extraEnd > directory.length) return;
    const bytes = directory.subarray(nameStart, nameEnd);
    if ((view.getUint16(at + 8, true) & FLAG_UTF8) === 0 && !isAscii(bytes.toString('latin1'))) {
      const field = readExtraFields(directory, nameEnd, extraEnd)?.get(EXTRA_UNICODE_PATH);
      const unicode = unicodeOf(bytes, field) ?? undefined;
      yield { bytes, unicode, isFromUnix: UNIX_SYSTEMS.has(view.getUint8(at + 5)) };
    }
    at = extraEnd + view.getUint16(at + 32, true);
  }
}

function recordEnd(archive: string, view: DataView, at: number, index: number): number {
  if (at + CENTRAL_HEADER_BYTES > view.byteLength) {
    throw damaged(
      archive,
      `record ${index + 1} of its directory is missing: more entries are announced than there are`,
    );
  }
  if (view.getUint32(at, true) !== CENTRAL_HEADER)
    throw damaged(archive, `record ${index + 1} of its directory has no signature`);
  const end =
    at +
    CENTRAL_HEADER_BYTES +
    view.getUint16(at + 28, true) +
    view.getUint16(at + 30, true) +
    view.getUint16(at + 32, true);
  if (end > view.byteLength)
    throw damaged(archive, `record ${index + 1} of its directory runs past the directory's end`);
  return end;
}

function damaged(archive: string, fault: string): Error {
  return zipFault(archive, fault, undefined, { remedy: COPY_AGAIN });
}

function readRecord(
  archive: string,
  directory: Buffer,
  { view, text, encoding }: { view: DataView; text: string; encoding: () => NameEncoding },
  at: number,
  end: number,
): DirectoryEntry {
  const flags = view.getUint16(at + 8, true);
  const nameStart = at + CENTRAL_HEADER_BYTES;
  const nameEnd = nameStart + view.getUint16(at + 28, true);
  const rawName = text.slice(nameStart, nameEnd);
  const extra = readExtraFields(directory, nameEnd, nameEnd + view.getUint16(at + 30, true));
  const unicodePath = extra?.get(EXTRA_UNICODE_PATH);
  let isDirectory = rawName.endsWith('/');
  let name = isDirectory ? rawName.slice(0, -1) : rawName;
  if (unicodePath !== undefined || !isPlainName(rawName)) {
    const reading = readName({
      latin1: rawName,
      isUtf8: (flags & FLAG_UTF8) !== 0,
      encoding,
      unicodePath,
    });
    if (reading.fault !== undefined) throw zipFault(archive, reading.fault, reading.name);
    ({ name, isDirectory } = reading);
  }
  if (!extra) throw zipFault(archive, 'its extra fields are malformed or given twice', name);

  const sizes = readSizes(view, at, extra.get(EXTRA_ZIP64));
  if (typeof sizes === 'string') throw zipFault(archive, sizes, name);
  const method = view.getUint16(at + 10, true);
  const unixMode = view.getUint16(at + 40, true);
  const fault =
    versionFault(view.getUint8(at + 6)) ??
    flagFault(flags) ??
    methodFault(method, sizes, isDirectory) ??
    modeFault(unixMode, isDirectory) ??
    (view.getUint8(at + 38) & DOS_FOLDER && !isDirectory ? MARKED_AS_FOLDER : undefined) ??
    folderFault(isDirectory, sizes);
  if (fault !== undefined) throw zipFault(archive, fault, name);
  return {
    name,
    isDirectory,
    sizeBytes: sizes.size,
    compressedBytes: sizes.compressed,
    crc32: view.getUint32(at + 16, true),
    method: method === STORED || method === ZSTANDARD ? method : DEFLATED,
    mode: unixMode === 0 ? undefined : unixMode & 0o777,
    isMarkedAsFile: (unixMode & FILE_TYPE) === REGULAR_FILE,
    rawName,
    flags,
    recordStart: at,
    recordEnd: end,
    offset: sizes.offset,
    end: sizes.offset,
    dataStart: undefined,
  };
}

interface Sizes {
  size: number;
  compressed: number;
  offset: number;
}

/** Sizes, and that the entry lies in this file; the fault in words where it cannot be. */
function readSizes(view: DataView, at: number, zip64: Buffer | undefined): Sizes | string {
  const sizes: Sizes = {
    size: view.getUint32(at + 24, true),
    compressed: view.getUint32(at + 20, true),
    offset: view.getUint32(at + 42, true),
  };
  const defers =
    sizes.size === SEE_ZIP64_32 || sizes.compressed === SEE_ZIP64_32 || sizes.offset === SEE_ZIP64_32;
  const used = defers ? replaceFromZip64(sizes, zip64) : 0;
  if (used === undefined) return 'its zip64 field lacks a size or offset that is referred to';
  const disk = view.getUint16(at + 34, true);
  const isElsewhere =
    disk === SEE_ZIP64_16 ? zip64?.length !== used + 4 || zip64.readUInt32LE(used) !== 0 : disk !== 0;
  return isElsewhere ? 'is said to lie in another part of a divided archive' : sizes;
}

/**
 * Replaces each number that defers to the zip64 field, in this order (APPNOTE 4.5.3).
 * @returns how many bytes of the field were used, or undefined when it lacks one
 */
function replaceFromZip64(sizes: Sizes, zip64: Buffer | undefined): number | undefined {
  let used = 0;
  for (const key of ZIP64_ORDER) {
    if (sizes[key] !== SEE_ZIP64_32) continue;
    const value = zip64 && used + 8 <= zip64.length ? readUint64(zip64, used) : undefined;
    if (value === undefined) return undefined;
    sizes[key] = value;
    used += 8;
  }
  return used;
}

const ZIP64_ORDER = ['size', 'compressed', 'offset'] as const;

function versionFault(version: number): string | undefined {
  return version > NEWEST_VERSION
    ? `needs version ${version / 10} of the zip format, of which 6.3 is the newest`
    : undefined;
}

function flagFault(flags: number): Fault | undefined {
  if (flags & (FLAG_ENCRYPTED | FLAG_STRONG_ENCRYPTION | FLAG_MASKED_HEADERS)) {
    return { fault: 'is encrypted', remedy: 'Pack the package again without a password' };
  }
  return flags & FLAG_PATCHED ? 'is a patch, not a file' : undefined;
}

/** Methods that tools offer besides (APPNOTE 4.4.5). */
const METHODS: ReadonlyMap<number, string> = new Map([
  [1, 'Shrink'],
  [6, 'Implode'],
  [9, 'Deflate64'],
  [12, 'bzip2'],
  [14, 'LZMA'],
  [20, 'Zstandard'],
  [ZSTANDARD, 'Zstandard'],
  [95, 'XZ'],
  [98, 'PPMd'],
  [99, 'AES encryption'],
]);

function methodFault(method: number, { size, compressed }: Sizes, isDirectory: boolean): Fault | undefined {
  if (method === STORED) {
    return size === compressed
      ? undefined
      : `is stored, but is said to grow from ${compressed} to ${size} bytes`;
  }
  if (method === ZSTANDARD) {
    if (!READS_ZSTANDARD) return NO_ZSTANDARD;
    return compressed < SHORTEST_FRAME && !isDirectory
      ? 'is compressed by Zstandard, but has no data'
      : undefined;
  }
  if (method !== DEFLATED) {
    const name = METHODS.get(method);
    const called = name === undefined ? `method ${method}` : `${name} (method ${method})`;
    return {
      fault: `is compressed by ${called}; only Store (0) and Deflate (8) are read`,
      remedy: DEFLATE_INSTEAD,
    };
  }
  // The shortest deflate stream, an empty final block, takes two bytes. A folder has nothing to inflate.
  return compressed < 2 && !isDirectory ? 'is deflated, but has no data' : undefined;
}

/** Magic number, descriptor, size and the header of an empty block (RFC 8878, 3.1.1). */
const SHORTEST_FRAME = 9;

/** Explorer takes Deflate64 for files of 2 GB and more by itself, others where they are set to. */
const DEFLATE_INSTEAD = 'Ask its maker to pack it again with the method Deflate (7z a -tzip -mm=Deflate)';

const NO_ZSTANDARD: Fault = {
  fault: `is compressed by Zstandard (method 93), which Node ${process.versions.node} does not read; it reads only Store (0) and Deflate (8)`,
  remedy: `Run the host with Node 22.15, 23.8 or later, and install with Python 3.14 or later. Or: ${DEFLATE_INSTEAD}`,
};

/** Type bits count whatever system the entry says it was made on: readers on POSIX act on them. */
function modeFault(unixMode: number, isDirectory: boolean): Fault | undefined {
  const type = unixMode & FILE_TYPE;
  const special = SPECIAL_FILES.get(type);
  if (special !== undefined) {
    const remedy = type === LINK ? INSTEAD_OF_LINK : TAKE_OUT;
    return { fault: `is ${special}; packages have files and folders only`, remedy };
  }
  if (type !== 0 && type !== REGULAR_FILE && type !== FOLDER) {
    return { fault: 'is a file of unknown type', remedy: TAKE_OUT };
  }
  if (type !== 0 && (type === FOLDER) !== isDirectory) {
    return isDirectory ? 'is named as a folder, but marked as a file' : MARKED_AS_FOLDER;
  }
  if (!isDirectory && unixMode & SET_USER_OR_GROUP) {
    const remedy = 'Take that right from it (chmod ug-s), and pack the package again';
    return { fault: 'would run as another user or group (setuid, setgid)', remedy };
  }
  return undefined;
}

/** Some tools deflate the nothing of a folder into two bytes. */
function folderFault(isDirectory: boolean, { size }: Sizes): string | undefined {
  return isDirectory && size > 0 ? `is named as a folder, but has ${size} bytes of content` : undefined;
}
