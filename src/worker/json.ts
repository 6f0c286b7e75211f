/** JSON as Python writes it: NaN, Infinity and -Infinity are numbers to `json.dumps`, and a syntax error to `JSON.parse`. */

/** Stands for a non-finite number while the text is parsed; starts with a character that no sane key or value has. */
const MARK = '\u0000non-finite';
const STRING_OR_NON_FINITE = /"[^"\\]*(?:\\.[^"\\]*)*"|-?Infinity|NaN/g;

/** A parsed value, and the paths where a number was not finite and is null now. */
export interface ParsedJson {
  value: unknown;
  nonFinite: string[];
}

/** Parses JSON, non-finite numbers as null. @throws SyntaxError on anything else that is no JSON */
export function parsePythonJson(text: string): ParsedJson {
  try {
    return { value: JSON.parse(text) as unknown, nonFinite: [] };
  } catch (error) {
    const marked = text.replace(STRING_OR_NON_FINITE, (token) =>
      token.startsWith('"') ? token : JSON.stringify(MARK),
    );
    if (marked === text) throw error;
    const nonFinite: string[] = [];
    const value = clear(JSON.parse(marked) as unknown, '', nonFinite);
    return { value, nonFinite };
  }
}

function clear(value: unknown, path: string, found: string[]): unknown {
  if (value === MARK) {
    found.push(path);
    return null;
  }
  const below = (key: string | number) => (path === '' ? String(key) : `${path}.${key}`);
  if (Array.isArray(value)) return value.map((item, index) => clear(item, below(index), found));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, clear(item, below(key), found)]),
    );
  }
  return value;
}
