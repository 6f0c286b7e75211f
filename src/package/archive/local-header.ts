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
 * @param directory - the central directory in the same way
 */
export function isPlainHeader(window: string, at: number, entry: DirectoryEntry, directory: string): boolean {
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
export function headerLength(fixed: Buffer): number {
  return LOCAL_HEADER_BYTES + fixed.readUInt16LE(26) + fixed.readUInt16LE(28);
}

/**
 * Holds a local header, and what follows the data, against the directory record: a reader that goes through the file
 * from the front must find the same entry.
 *
 * @param rest - the bytes from the end of the data to the start of the next record
 * @returns the fault in words, or undefined
 */
export function localFault(header: Buffer, rest: Buffer, entry: DirectoryEntry): string | undefined {
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
