/** Dependency specifiers and environment markers (PEP 508), as packaging reads them, which is in pip. */
import { meets, parseSpecifiers, parseVersion, specifierAt } from './pep440.js';
import { normalizeProjectName } from './wheel-name.js';

/** Values of the marker variables in one environment. */
export type MarkerEnvironment = Record<string, string>;

type Marker =
  | { kind: 'or' | 'and'; left: Marker; right: Marker }
  | { kind: 'compare'; operator: string; left: Operand; right: Operand };
interface Operand {
  variable?: string;
  text?: string;
}

const TOKEN =
  /[ \t]*(?:(?<paren>[()])|(?<text>'[^']*'|"[^"]*")|(?<operator>===|~=|==|!=|<=|>=|<|>|not[ \t]+in\b|in\b)|(?<word>[a-z_.]+))/y;
const VARIABLES = new Set([
  'python_version',
  'python_full_version',
  'os_name',
  'sys_platform',
  'platform_release',
  'platform_system',
  'platform_version',
  'platform_machine',
  'platform_python_implementation',
  'implementation_name',
  'implementation_version',
  'extra',
  // Of lock files: no wheel has them, and to ask for them is no fault before it is evaluated.
  'extras',
  'dependency_groups',
]);
/** Variables whose values are compared as versions, where the other side is one. */
const VERSIONS = new Set([
  'implementation_version',
  'platform_release',
  'python_full_version',
  'python_version',
]);
/** Names of before PEP 508 that are still met. */
const OLD_NAMES: Record<string, string> = {
  'os.name': 'os_name',
  'sys.platform': 'sys_platform',
  'platform.version': 'platform_version',
  'platform.machine': 'platform_machine',
  'platform.python_implementation': 'platform_python_implementation',
  python_implementation: 'platform_python_implementation',
};

/** More than any marker has; what is nested deeper than the call stack cannot be gone through. */
const MAX_TOKENS = 1_000;

/** Whether a text is a marker. */
export function isMarker(text: string): boolean {
  return parseMarker(text) !== undefined;
}

/** Whether a marker holds in an environment; undefined when it cannot be read, or compares what cannot be compared. */
export function evaluateMarker(marker: string, environment: MarkerEnvironment): boolean | undefined {
  const meant = parseMarker(marker);
  return meant && evaluate(meant, environment);
}

/** What a line of `Requires-Dist` or of a requirements file asks for. */
export interface Dependency {
  /** As written. */
  name: string;
  /** As written. */
  extras: string[];
  /** Version specifiers, separated by commas, without blanks. */
  specifier: string;
  /** Where it is to be taken from, after `@`. */
  url?: string;
  /** After `;`. */
  marker?: string;
}

const NAME = /[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?(?![A-Za-z0-9_])/y;
const BLANKS = /[ \t]*/y;

/** Reads a dependency specifier; undefined where packaging refuses it. */
export function parseDependency(text: string): Dependency | undefined {
  const reader = new Reader(text);
  const name = reader.take(NAME);
  const extras = reader.has('[') ? extrasIn(reader) : [];
  if (name === undefined || extras === undefined) return undefined;
  if (reader.has('@')) {
    const url = reader.take(/[^ \t]+/y);
    if (url === undefined) return undefined;
    const marker = markerIn(reader);
    return marker === undefined
      ? undefined
      : { name, extras, specifier: '', url, ...(marker !== '' && { marker }) };
  }
  const isEnclosed = reader.has('(');
  const specifier = specifierIn(reader);
  if (specifier === undefined || (isEnclosed && !reader.has(')'))) return undefined;
  const marker = markerIn(reader);
  return marker === undefined ? undefined : { name, extras, specifier, ...(marker !== '' && { marker }) };
}

/** Goes through a text token by token, blanks left out. */
class Reader {
  readonly text: string;
  position = 0;

  constructor(text: string) {
    this.text = text;
  }

  skip(): void {
    BLANKS.lastIndex = this.position;
    this.position += BLANKS.exec(this.text)?.[0].length ?? 0;
  }

  has(character: string): boolean {
    this.skip();
    if (this.text[this.position] !== character) return false;
    this.position++;
    return true;
  }

  take(token: RegExp): string | undefined {
    this.skip();
    token.lastIndex = this.position;
    const found = token.exec(this.text)?.[0];
    this.position += found?.length ?? 0;
    return found;
  }

  get isAtEnd(): boolean {
    this.skip();
    return this.position === this.text.length;
  }
}

function extrasIn(reader: Reader): string[] | undefined {
  if (reader.has(']')) return [];
  const extras: string[] = [];
  do {
    const extra = reader.take(NAME);
    if (extra === undefined) return undefined;
    extras.push(extra);
  } while (reader.has(','));
  return reader.has(']') ? extras : undefined;
}

/** Clauses with commas between them, and perhaps one behind them. */
function specifierIn(reader: Reader): string | undefined {
  let written = '';
  for (;;) {
    reader.skip();
    const found = specifierAt(reader.text, reader.position);
    if (!found) break;
    const { end } = found;
    written += reader.text.slice(reader.position, end);
    reader.position = end;
    if (!reader.has(',')) break;
    written += ',';
  }
  // `===` takes a comma for a part of its text.
  return parseSpecifiers(written)
    ?.map(({ operator, text, hasWildcard }) => `${operator}${text}${hasWildcard ? '.*' : ''}`)
    .join(',');
}

/** The marker at the end; empty where there is none, undefined where something else follows. */
function markerIn(reader: Reader): string | undefined {
  if (reader.isAtEnd) return '';
  if (!reader.has(';')) return undefined;
  const marker = reader.text.slice(reader.position).replace(/^[ \t]+|[ \t]+$/g, '');
  return isMarker(marker) ? marker : undefined;
}

/** Those that were parsed lately: each is read with its line first and then weighed, and many lines have the same. */
const parsed = new Map<string, Marker | undefined>();
const MOST_PARSED = 256;
const LONGEST_PARSED = 200;

/** The parsed marker; undefined when it is malformed. */
function parseMarker(text: string): Marker | undefined {
  if (parsed.has(text)) return parsed.get(text);
  const marker = parseAnew(text);
  if (parsed.size === MOST_PARSED) parsed.clear();
  if (text.length <= LONGEST_PARSED) parsed.set(text, marker);
  return marker;
}

function parseAnew(text: string): Marker | undefined {
  const tokens = tokenize(text);
  if (!tokens) return undefined;
  const parser = new MarkerParser(tokens);
  const marker = parser.or();
  return parser.isAtEnd ? marker : undefined;
}

interface Token {
  kind: 'paren' | 'text' | 'operator' | 'word';
  value: string;
}

function tokenize(text: string): Token[] | undefined {
  const tokens: Token[] = [];
  const source = text.replace(/[ \t]+$/, '');
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    if (tokens.length === MAX_TOKENS) return undefined;
    const match = TOKEN.exec(source);
    if (!match?.groups) return undefined;
    const [kind, value] =
      Object.entries(match.groups).find(([, found]) => (found as string | undefined) !== undefined) ?? [];
    if (kind === undefined || value === undefined) return undefined;
    const meant = kind === 'text' ? literal(value.slice(1, -1)) : value.replace(/[ \t]+/g, ' ');
    if (meant === undefined) return undefined;
    tokens.push({ kind: kind as Token['kind'], value: meant });
  }
  return tokens;
}

const ESCAPES: Record<string, string> = {
  ...{ a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' },
  ...{ '\\': '\\', "'": "'", '"': '"' },
};

const ESCAPE =
  /\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U(00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4})|(\r\n|[^xuUN\0]))/gu;

/** A text between quotes, as a literal of Python; undefined where it is none, or names a character (`\N{…}`). */
function literal(written: string): string | undefined {
  if (!/[\0\r\n\\]/.test(written)) return written; // as nearly all are
  if (/[\0\r\n\\]/.test(written.replace(ESCAPE, ''))) return undefined;
  return written.replace(ESCAPE, (whole: string, octal?: string, ...found: (string | undefined)[]) => {
    const [x, four, eight, letter] = found;
    if (letter !== undefined) return /[\r\n]/.test(letter) ? '' : (ESCAPES[letter] ?? whole);
    return String.fromCodePoint(
      octal === undefined ? parseInt(x ?? four ?? eight ?? '', 16) : parseInt(octal, 8),
    );
  });
}

class MarkerParser {
  readonly #tokens: Token[];
  #position = 0;

  constructor(tokens: Token[]) {
    this.#tokens = tokens;
  }

  get isAtEnd(): boolean {
    return this.#position === this.#tokens.length;
  }

  or(): Marker | undefined {
    return this.#chain('or', () => this.#chain('and', () => this.#atom()));
  }

  #chain(kind: 'or' | 'and', next: () => Marker | undefined): Marker | undefined {
    let left = next();
    while (left && this.#takes('word', kind)) {
      const right = next();
      left = right && { kind, left, right };
    }
    return left;
  }

  #atom(): Marker | undefined {
    if (this.#takes('paren', '(')) {
      const inner = this.or();
      return this.#takes('paren', ')') ? inner : undefined;
    }
    const left = this.#operand();
    const operator = this.#tokens[this.#position];
    if (!left || operator?.kind !== 'operator') return undefined;
    this.#position++;
    const right = this.#operand();
    return right && { kind: 'compare', operator: operator.value, left, right };
  }

  #operand(): Operand | undefined {
    const token = this.#tokens[this.#position++];
    if (token?.kind === 'text') return { text: token.value };
    const name = token?.kind === 'word' ? (OLD_NAMES[token.value] ?? token.value) : '';
    return VARIABLES.has(name) ? { variable: name } : undefined;
  }

  #takes(kind: Token['kind'], value: string): boolean {
    const token = this.#tokens[this.#position];
    if (token?.kind !== kind || token.value !== value) return false;
    this.#position++;
    return true;
  }
}

function evaluate(marker: Marker, environment: MarkerEnvironment): boolean | undefined {
  if (marker.kind === 'compare') return compare(marker, environment);
  const left = evaluate(marker.left, environment);
  const right = evaluate(marker.right, environment);
  if (left === undefined || right === undefined) return undefined;
  return marker.kind === 'or' ? left || right : left && right;
}

function compare(
  { operator, left, right }: Marker & { kind: 'compare' },
  environment: MarkerEnvironment,
): boolean | undefined {
  // Of two variables the second counts as a string, and of two strings none is looked up.
  const variable = left.variable ?? right.variable;
  const known =
    variable === undefined ? undefined : (environment[variable] ?? (variable === 'extra' ? '' : undefined));
  if (variable === undefined || known === undefined) return undefined;
  const plain = (text: string) => (variable === 'extra' ? normalizeProjectName(text) : text);
  const other = plain(left.variable === undefined ? (left.text ?? '') : (right.variable ?? right.text ?? ''));
  const [one, two] = left.variable === undefined ? [other, plain(known)] : [plain(known), other];
  const specifiers = VERSIONS.has(variable) ? parseSpecifiers(operator + two) : undefined;
  const [specifier] = specifiers ?? [];
  if (specifier && specifiers?.length === 1) {
    if (!specifier.version) return one.toLowerCase() === specifier.text.toLowerCase();
    const version = parseVersion(one);
    return version !== undefined && meets(version, specifier);
  }
  switch (operator) {
    case 'in':
      return two.includes(one);
    case 'not in':
      return !two.includes(one);
    // Strings have no order: only equality is defined.
    case '==':
    case '<=':
    case '>=':
      return one === two;
    case '!=':
      return one !== two;
    case '<':
    case '>':
      return false;
    default:
      return undefined;
  }
}
