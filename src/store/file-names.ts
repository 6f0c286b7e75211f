/** Device names that Windows resolves in every folder, whatever the extension. */
const WINDOWS_RESERVED = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$/i;

// eslint-disable-next-line no-control-regex -- control characters are what is refused
const FORBIDDEN = /[\u0000-\u001f\u007f<>:"/\\|?*\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

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

/**
 * A file name for any string, one to one: letters, digits, `_`, `-` and single dots inside stay; every other byte of
 * its UTF-8 becomes `%XX`. Two strings that differ in case alone still meet on a file system that folds case, so
 * whoever reads the file must compare the name stored in it.
 */
export function encodeFileName(text: string): string {
  let encoded = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    const character = String.fromCharCode(byte);
    const plain =
      /[A-Za-z0-9_-]/.test(character) || (character === '.' && encoded !== '' && !encoded.endsWith('.'));
    encoded += plain ? character : hex(byte);
  }
  if (encoded.endsWith('.')) encoded = encoded.slice(0, -1) + hex(0x2e);
  return isWindowsReserved(encoded) ? hex(encoded.charCodeAt(0)) + encoded.slice(1) : encoded;
}

function hex(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}
