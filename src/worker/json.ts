/**
 * JSON as Python writes it: NaN, Infinity and -Infinity are numbers to `json.dumps` and a syntax error to `JSON.parse`,
 * and whole numbers have any number of digits, of which a double keeps 15 to 17.
 */

/**
 * What stands for such a number while the text is parsed: this, then the number as it was written. Made anew in each
 * process, so that no string of a worker is taken for one.
 */
let mark: string | undefined;
/** A string, or a number: as a token of JSON, so that what looks like a number in a string is left alone. */
const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?(?:Infinity|\d[\d.eE+-]*)|NaN/g;
/** Whole numbers of 16 digits and more, and exponents of three digits: where there is none, a double holds all numbers. */
const MAY_NOT_FIT = /(?:^|[[:,\s])-?(?:\d{16}|[\d.]+[eE]\+?\d{3})/;
const WHOLE = /^-?[1-9]\d*$/;

/** A parsed value, and the paths of the numbers that are not given as numbers. */
export interface ParsedJson {
  value: unknown;
  /** NaN, an infinity, or past the largest double: null now. */
  nonFinite: string[];
  /** Whole numbers beyond ±(2^53 - 1): strings of their digits now. */
  bigIntegers: string[];
}

/**
 * Parses JSON. Numbers that a double cannot hold are null or strings, with their paths, and never changed in silence. A
 * string and not a bigint, because results are written as JSON again: to logs, records and hosts.
 * @throws SyntaxError on anything else that is no JSON
 */
export function parsePythonJson(text: string): ParsedJson {
  if (!MAY_NOT_FIT.test(text)) {
    try {
      return { value: JSON.parse(text) as unknown, nonFinite: [], bigIntegers: [] };
    } catch (error) {
      return parseMarked(text, error as SyntaxError);
    }
  }
  return parseMarked(text, undefined);
}

/** @throws `error` when there is nothing to mark: then the text is no JSON, and that says why */
function parseMarked(text: string, error: Error | undefined): ParsedJson {
  const prefix = (mark ??= `${crypto.randomUUID()}:`);
  let count = 0;
  const marked = text.replace(STRING_OR_NUMBER, (token) => {
    if (token.startsWith('"') || fits(token)) return token;
    count++;
    return `"${prefix}${token}"`;
  });
  if (count === 0 && error) throw error;
  const found: ParsedJson = { value: JSON.parse(marked), nonFinite: [], bigIntegers: [] };
  if (count > 0) found.value = restore(found.value, '', prefix, found);
  return found;
}

/** Whether a double holds the number that is written; what is no number at all is left to the parser. */
function fits(token: string): boolean {
  const number = Number(token);
  if (Number.isNaN(number)) return token !== 'NaN';
  if (!Number.isFinite(number)) return false;
  return Number.isSafeInteger(number) || !WHOLE.test(token);
}

function restore(value: unknown, path: string, prefix: string, found: ParsedJson): unknown {
  if (typeof value === 'string') {
    if (!value.startsWith(prefix)) return value;
    const token = value.slice(prefix.length);
    if (Number.isFinite(Number(token))) {
      found.bigIntegers.push(path);
      return token;
    }
    found.nonFinite.push(path);
    return null;
  }
  const below = (key: string | number) => (path === '' ? String(key) : `${path}.${key}`);
  if (Array.isArray(value)) return value.map((item, index) => restore(item, below(index), prefix, found));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, restore(item, below(key), prefix, found)]),
    );
  }
  return value;
}
