import { nodeCrypto } from '../node-crypto.js';

/** Device names that Windows resolves in every folder, whatever the extension. */
const WINDOWS_RESERVED = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$/i;

const FORBIDDEN = /[\p{Cc}<>:"/\\|?*\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

/** Whether Windows gives this file name to a device. */
export function isWindowsReserved(name: string): boolean {
  return WINDOWS_RESERVED.test(name);
}

/** Whether `name` can stand as one folder name, unchanged, on Windows and on POSIX. */
export function isSafeFolderName(name: string): boolean {
  return (
    name.length > 0 &&
    name.length <= 128 &&
    Buffer.byteLength(name) <= 200 &&
    !FORBIDDEN.test(name) &&
    !/[. ]$/.test(name) &&
    !/^\.|^ /.test(name) &&
    !name.endsWith('.lock') &&
    !/\p{Surrogate}/u.test(name) &&
    !isWindowsReserved(name)
  );
}

/** File systems take names of 255 bytes, of which an ending and the name of a temporary file need some. */
const LONGEST_ENCODED = 120;

/**
 * A file name for any string, one to one: letters, digits, `_`, `-` and single dots inside stay; every other byte of
 * its UTF-8 becomes `%XX`, half a surrogate pair `%uXXXX`. A long one is cut, with `~` and the SHA-256 of the whole at
 * its end. Two strings that differ in case alone still meet on a file system that folds case, so the reader must
 * compare the name stored in the file.
 */
export function encodeFileName(text: string): string {
  let encoded = '';
  for (const character of text) {
    const isPlain =
      /^[A-Za-z0-9_-]$/.test(character) || (character === '.' && encoded !== '' && !encoded.endsWith('.'));
    encoded += isPlain ? character : escaped(character);
  }
  if (encoded.endsWith('.')) encoded = encoded.slice(0, -1) + hex(0x2e);
  if (isWindowsReserved(encoded)) encoded = hex(encoded.charCodeAt(0)) + encoded.slice(1);
  if (encoded.length <= LONGEST_ENCODED) return encoded;
  const digest = nodeCrypto().createHash('sha256').update(encoded).digest('hex');
  return `${encoded.slice(0, LONGEST_ENCODED - digest.length - 1)}~${digest}`;
}

function escaped(character: string): string {
  if (/\p{Surrogate}/u.test(character)) return `%u${character.charCodeAt(0).toString(16).toUpperCase()}`;
  return [...Buffer.from(character, 'utf8')].map(hex).join('');
}

function hex(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}
