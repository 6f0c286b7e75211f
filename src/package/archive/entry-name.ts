import { isWindowsReserved } from '../../store/file-names.js';
import { crc32 } from '../crc32.js';
import type { NameEncoding } from '../types.js';
import { type Fault, RENAME } from './fault.js';
import { EXTRA_UNICODE_PATH, EXTRA_ZIP64 } from './format.js';
import { decodeName } from './name-encoding.js';

/**
 * Walks the extra fields of a header, from `start` to `end` (APPNOTE 4.5): pairs of identifier and content.
 *
 * @returns the content by identifier, or undefined when a field says it is longer than the rest. Of several fields
 * with one identifier readers take different ones, so they are no reading either.
 */
export function readExtraFields(
  bytes: Buffer,
  start: number,
  end: number,
): ReadonlyMap<number, Buffer> | undefined {
  if (start === end) return NONE;
  const fields = new Map<number, Buffer>();
  let at = start;
  // Up to three bytes of padding are left by tools that align the data.
  while (at + 4 <= end) {
    const identifier = bytes.readUInt16LE(at);
    const next = at + 4 + bytes.readUInt16LE(at + 2);
    if (next > end) return undefined;
    if (MEANINGFUL.has(identifier)) {
      if (fields.has(identifier)) return undefined;
      fields.set(identifier, bytes.subarray(at + 4, next));
    }
    at = next;
  }
  return fields;
}

const NONE: ReadonlyMap<number, Buffer> = new Map();

const MEANINGFUL: ReadonlySet<number> = new Set([EXTRA_ZIP64, EXTRA_UNICODE_PATH]);

const MAX_SEGMENT_BYTES = 255;
/** Leaves room for the folder it is unpacked into: Linux ends a path at 4,096 bytes. */
const MAX_NAME_BYTES = 1024;

/** An entry's name as the archive gives it. */
interface RawName {
  /** Its bytes, one character each: a buffer of its own for every name costs more than all else about it. */
  latin1: string;
  /** General purpose flag, bit 11. */
  isUtf8: boolean;
  /** Encoding of names that do not declare one. Called only for a name that declares none and is not ASCII. */
  encoding: () => NameEncoding;
  /** Content of the Unicode path extra field (0x7075), if there is one. */
  unicodePath: Buffer | undefined;
}

/** A decoded name, or why it cannot stand. */
type NameReading = { name: string; isDirectory: boolean; fault?: undefined } | { name: string; fault: Fault };

/**
 * Decodes an entry's name and holds it to what can be a path on every platform, unchanged.
 *
 * Bytes are UTF-8 where the flag says so; else a Unicode path field that fits tells the name (APPNOTE 4.6.9), or the
 * encoding that the archive's names have together. A backslash separates like a slash, as older Windows tools write it;
 * a "./" in front, as of `zip -r x.zip ./folder` by some libraries, changes nothing for any reader.
 */
export function readName(raw: RawName): NameReading {
  const decoded = decode(raw);
  if (decoded.fault !== undefined) return { name: decoded.name, fault: decoded.fault };
  const path = decoded.name.replaceAll('\\', '/').replace(/^(?:\.\/)+/, '');
  // The folder itself that was packed, which is there anyway.
  if (path === '' && decoded.name !== '') return { name: '', isDirectory: true };
  const isDirectory = path.endsWith('/');
  const name = isDirectory ? path.slice(0, -1) : path;
  const fault = nameFault(name, path);
  return fault === undefined ? { name, isDirectory } : { name: decoded.name, fault };
}

/** Whether a name, as the archive gives it, is a path on every platform as it stands, but for a slash at its end. */
export function isPlainName(latin1: string): boolean {
  return latin1.length <= MAX_SEGMENT_BYTES && PLAIN_NAME.test(latin1);
}

/**
 * Why `name`, relative and with `/` between its segments, cannot be a path beneath a folder on every platform.
 * @returns undefined when it can.
 */
export function nameFault(name: string, asWritten = name): Fault | undefined {
  if (isPlainName(name) && !name.endsWith('/')) return undefined;
  if (name === '') return asWritten === '' ? 'its name is empty' : 'its name is an absolute path';
  if (name.startsWith('/')) return 'its name is an absolute path';
  if (/^[A-Za-z]:/.test(name)) return 'its name starts with a drive letter';
  if (name.length * 3 > MAX_NAME_BYTES && Buffer.byteLength(name) > MAX_NAME_BYTES) {
    return { fault: `its name is longer than ${MAX_NAME_BYTES} bytes`, remedy: RENAME };
  }
  const segments = name.split('/');
  for (const segment of segments) {
    // No disk has a file of such a name: what packed it made it.
    if (segment === '') return 'its name has an empty segment';
    if (segment === '.' || segment === '..') return `its name has a ${quoted(segment)} segment`;
    if (segment.includes('\0')) return 'its name has a NUL character in it';
  }
  for (const segment of segments) {
    const fault = segmentFault(segment);
    if (fault !== undefined) return { fault, remedy: RENAME };
  }
  return undefined;
}

/**
 * Names that need no closer look, which are nearly all: segments of ASCII letters, digits, `_` and `-` with endings,
 * none of them a device of Windows. One pass of one expression; it cannot backtrack, as no separator is in its class.
 */
const PLAIN_NAME =
  /^(?:(?!(?:con|prn|aux|nul|com\d|lpt\d)(?:[./]|$))[a-z0-9_-]+(?:\.[a-z0-9_-]+)*(?:\/|$))+$/i;

const CONTROL = /[\p{Cc}\u2028\u2029]/u;
const DIRECTION_MARK = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
const NOT_ON_WINDOWS = /[<>:"|?*]/;

function segmentFault(segment: string): string | undefined {
  if (CONTROL.test(segment)) return 'its name has a control character in it';
  if (DIRECTION_MARK.test(segment)) return 'its name has a mark in it that turns the direction of writing';
  const character = NOT_ON_WINDOWS.exec(segment)?.[0];
  if (character !== undefined)
    return `its name has a ${quoted(character)} in it, which Windows does not permit`;
  if (/[. ]$/.test(segment)) return 'its name has a segment that ends in a dot or space';
  // Windows drops blanks before the ending when it looks for a device: `con .txt` is the console.
  if (isWindowsReserved(segment.replace(/ +(?=\.)/, ''))) {
    return `its name has the segment ${quoted(segment)}, which Windows gives to a device`;
  }
  if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES) {
    return `its name has a segment longer than ${MAX_SEGMENT_BYTES} bytes`;
  }
  return undefined;
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

const NOT_ASCII = /[\u0080-\uffff]/;

/** Whether a text has characters of ASCII alone. */
export function isAscii(text: string): boolean {
  return !NOT_ASCII.test(text);
}

function decode(raw: RawName): { name: string; fault?: Fault } {
  const hasAscii = isAscii(raw.latin1);
  if (hasAscii && raw.unicodePath === undefined) return { name: raw.latin1 };
  const bytes = Buffer.from(raw.latin1, 'latin1');
  const unicode = unicodeOf(bytes, raw.unicodePath);
  if (unicode === null) return { name: bytes.toString('utf8'), fault: 'its Unicode path field is not UTF-8' };
  if (hasAscii || raw.isUtf8) return decodeSaid(raw, bytes, unicode);
  if (unicode !== undefined) {
    return isSameInAscii(raw.latin1, unicode) ? { name: unicode } : contradicted(bytes.toString(), unicode);
  }
  const encoding = raw.encoding();
  const name = decodeName(bytes, encoding);
  return name === undefined
    ? {
        name: bytes.toString(),
        fault: { fault: `its name is no text in ${encoding}`, remedy: 'Give another nameEncoding, or none' },
      }
    : { name };
}

/** A name that says its encoding. */
function decodeSaid(
  { latin1, isUtf8 }: RawName,
  bytes: Buffer,
  unicode: string | undefined,
): { name: string; fault?: string } {
  const plain = isAscii(latin1) ? latin1 : decodeName(bytes, 'utf-8');
  if (plain === undefined) {
    return { name: bytes.toString('utf8'), fault: 'its name is flagged as UTF-8 but is not UTF-8' };
  }
  if (unicode === undefined) return { name: plain };
  // Readers with and without support for the field must see the same file, as far as the code page has the letters.
  const written = [plain, unescaped(plain)];
  const lacking = ['_', '?'].map((sign) => Array.from(unicode, (c) => (isAscii(c) ? c : sign)).join(''));
  return written.includes(unicode) || (!isUtf8 && lacking.includes(plain))
    ? { name: unicode }
    : contradicted(plain, unicode);
}

function contradicted(name: string, unicode: string): { name: string; fault: string } {
  return { name, fault: `its Unicode path field says ${quoted(unicode)}, its name does not` };
}

/** What the field says for this name; undefined where it is for another or there is none, null where it is no text. */
export function unicodeOf(name: Buffer, field: Buffer | undefined): string | undefined | null {
  if (field === undefined || !appliesTo(field, name)) return undefined;
  return decodeName(field.subarray(5), 'utf-8') ?? null;
}

/** Whether two spellings of a path have the same folders, and the same letters wherever they have those of ASCII alone. */
function isSameInAscii(latin1: string, unicode: string): boolean {
  const [left, right] = [latin1.split('/'), unicode.split('/')];
  return (
    left.length === right.length &&
    left.every((segment, index) => {
      const other = right[index] ?? '';
      return isAscii(segment) ? segment === other : !isAscii(other);
    })
  );
}

/**
 * The path that a Unicode path field gives in place of a name, in the form of {@link readName}; undefined where it is
 * not for this name.
 */
export function unicodePathFor(name: Buffer, field: Buffer): string | undefined {
  if (!appliesTo(field, name)) return undefined;
  const path = field.subarray(5).toString('utf8').replaceAll('\\', '/');
  return path.replace(/^(?:\.\/)+(?=.)/, '').replace(/\/$/, '');
}

/** The field holds only for the name it was made for: version 1 and the CRC of the name (APPNOTE 4.6.9). */
function appliesTo(unicodePath: Buffer, name: Buffer): boolean {
  return unicodePath.length > 5 && unicodePath[0] === 1 && unicodePath.readUInt32LE(1) === crc32(name);
}

/** Info-ZIP writes `#U4e2d` for what its code page lacks. */
function unescaped(name: string): string {
  return name.replace(/#U([0-9a-f]{4})|#L([0-9a-f]{6})/g, (_, short?: string, long?: string) =>
    String.fromCodePoint(Math.min(parseInt(short ?? long ?? '', 16), 0x10ffff)),
  );
}
