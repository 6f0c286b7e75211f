import type { DirectoryEntry } from './central-directory.js';
import { isAscii, unicodePathFor } from './entry-name.js';
import { readExtraFields } from './extra-fields.js';
import { quote } from './fault.js';
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
 * @param span - from the header's first byte to the next record
 * @param directory - the central directory in the same way
 */
export function isPlainHeader(
  window: string,
  at: number,
  { start, end, entry }: { start: number; end: number; entry: DirectoryEntry },
  directory: string,
): boolean {
  const { recordStart, recordEnd, rawName, flags, sizeBytes, compressedBytes } = entry;
  const from = recordStart + SHARED_FIELDS.central;
  return (
    recordEnd - recordStart === CENTRAL_HEADER_BYTES + rawName.length &&
    end - start === LOCAL_HEADER_BYTES + rawName.length + compressedBytes &&
    (flags & FLAG_DATA_DESCRIPTOR) === 0 &&
    sizeBytes < SEE_ZIP64_32 &&
    compressedBytes < SEE_ZIP64_32 &&
    window.startsWith('PK\u0003\u0004', at) &&
    window.startsWith(directory.slice(from, from + SHARED_FIELDS.bytes), at + SHARED_FIELDS.local) &&
    window.startsWith(rawName, at + LOCAL_HEADER_BYTES)
  );
}

/** What a local header adds to the directory's account. */
export interface LocalHeader {
  hasDescriptor: boolean;
}

/** The longest header and the longest descriptor there can be, besides name and data. */
export const MAX_LOCAL_EXTRA_BYTES = 0xffff;
export const MAX_DESCRIPTOR_BYTES = 24;

/** Bytes of an entry's local header without its extra field. */
export function minHeaderBytes(entry: DirectoryEntry): number {
  return LOCAL_HEADER_BYTES + entry.rawName.length;
}

/** Full length of the header at `at`, of which the fixed part must be there. */
export function headerLength(bytes: Buffer, at: number): number {
  return LOCAL_HEADER_BYTES + bytes.readUInt16LE(at + 26) + bytes.readUInt16LE(at + 28);
}

/**
 * Holds a local header against its directory record: a reader that goes through the file from the front must find
 * the same entry.
 *
 * @param bytes - the header lies in them, whole, from `start` to `end`
 * @returns the reading, or the fault in words
 */
export function compareLocalHeader(
  bytes: Buffer,
  start: number,
  end: number,
  entry: DirectoryEntry,
): LocalHeader | string {
  if (bytes.readUInt32LE(start) !== LOCAL_HEADER) {
    return 'has no local header where its directory record points';
  }
  const flags = bytes.readUInt16LE(start + 6);
  const nameStart = start + LOCAL_HEADER_BYTES;
  const nameEnd = nameStart + bytes.readUInt16LE(start + 26);
  if (bytes.toString('latin1', nameStart, nameEnd) !== entry.rawName) {
    return `has another name in its local header: ${quote(bytes.toString('utf8', nameStart, nameEnd))}`;
  }
  const differing = (flags ^ entry.flags) & COMPARED_FLAGS;
  // The UTF-8 flag means nothing to a name in ASCII; some tools set it in one place only.
  if (differing & ~FLAG_UTF8 || (differing && !isAscii(entry.rawName))) {
    return disagreement('flags', flags, entry.flags);
  }
  const method = bytes.readUInt16LE(start + 8);
  if (method !== entry.method) return disagreement('method', method, entry.method);
  const hasDescriptor = (flags & FLAG_DATA_DESCRIPTOR) !== 0;
  const fault = sizesFault(bytes, start, nameEnd, end, entry, hasDescriptor);
  return fault ?? (hasDescriptor ? WITH_DESCRIPTOR : WITHOUT_DESCRIPTOR);
}

const WITH_DESCRIPTOR: LocalHeader = { hasDescriptor: true };
const WITHOUT_DESCRIPTOR: LocalHeader = { hasDescriptor: false };

function sizesFault(
  bytes: Buffer,
  start: number,
  nameEnd: number,
  end: number,
  entry: DirectoryEntry,
  hasDescriptor: boolean,
): string | undefined {
  const extra = readExtraFields(bytes, nameEnd, end);
  if (!extra) return 'has malformed extra fields in its local header';
  const path = extra.get(EXTRA_UNICODE_PATH);
  const unicode = path && unicodePathFor(bytes.subarray(start + LOCAL_HEADER_BYTES, nameEnd), path);
  // A reader that goes through the file from the front, and knows the field, would unpack to this path.
  if (unicode !== undefined && unicode !== entry.name) {
    return `has another name in the Unicode path field of its local header: ${quote(unicode)}`;
  }
  const crc = bytes.readUInt32LE(start + 14);
  const compressed = bytes.readUInt32LE(start + 18);
  const size = bytes.readUInt32LE(start + 22);
  if (!mayBe(crc, entry.crc32, hasDescriptor)) return disagreement('CRC-32', crc, entry.crc32);
  const zip64 = extra.get(EXTRA_ZIP64);
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
 *
 * @param rest - the bytes from the end of the data to the start of the next record
 * @returns the fault in words, or undefined
 */
export function trailerFault(
  rest: Buffer,
  entry: DirectoryEntry,
  hasDescriptor: boolean,
): string | undefined {
  if (!hasDescriptor) {
    return rest.length === 0 ? undefined : `is followed by ${rest.length} bytes that belong to no entry`;
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
