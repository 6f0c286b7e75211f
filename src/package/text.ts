const BOM = '\ufeff';
const MOST_SHOWN_CHARACTERS = 200;

/**
 * A small text file of a package: UTF-8, with or without BOM, else GBK, in which Chinese Windows writes. Undefined
 * when it is neither.
 */
export function decodeText(bytes: Uint8Array): string | undefined {
  for (const encoding of ['utf-8', 'gbk']) {
    try {
      const text = new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes);
      return text.startsWith(BOM) ? text.slice(1) : text;
    } catch {
      // not this one
    }
  }
  return undefined;
}

/** Text in UTF-8 as Python reads it: a byte order mark is a character of it. Undefined for anything else. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** What Python takes for white space in a text, as the inside of a character class: a byte order mark is none. */
export const PYTHON_SPACE =
  '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const PYTHON_ENDS = new RegExp(`^[${PYTHON_SPACE}]+|[${PYTHON_SPACE}]+$`, 'g');

/** `str.strip()` of Python. */
export function pythonStrip(text: string): string {
  return text.replace(PYTHON_ENDS, '');
}

const LINE_ENDS = '\\n-\\r\\x1c-\\x1e\\x85\\u2028\\u2029';
const LINE_END = new RegExp(`\\r\\n|[${LINE_ENDS}]`);
/** `str.splitlines()` of Python, but for an empty line at the end. */
export function pythonLines(text: string): string[] {
  return text.split(LINE_END);
}

/** A text of a package as a message can show it: {@link printable}, and cut where it is longer than a line. */
export function shown(text: string): string {
  const cut = text.length > MOST_SHOWN_CHARACTERS ? `${text.slice(0, MOST_SHOWN_CHARACTERS)}…` : text;
  return printable(cut);
}

/**
 * One line of text without control characters or marks of writing direction, which could move a terminal's cursor or
 * forge a line of a log.
 */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Things a message lists; of very many the first few and how many more there are. */
export function listed(items: readonly string[], separator = ', ', most = 20): string {
  const first = items.slice(0, most).join(separator);
  return items.length > most ? `${first}${separator}and ${items.length - most} more` : first;
}
