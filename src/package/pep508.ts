/** Environment markers, as PEP 508 says. */
import { parseVersion, satisfies } from './pep440.js';

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
  /\s*(?:(?<paren>[()])|(?<text>'[^']*'|"[^"]*")|(?<operator>===|~=|==|!=|<=|>=|<|>|not\s+in\b|in\b)|(?<word>[a-z_.]+))/y;
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

/** Whether a marker holds in an environment; undefined when it cannot be read. */
export function evaluateMarker(marker: string, environment: MarkerEnvironment): boolean | undefined {
  const parsed = parseMarker(marker);
  return parsed && evaluate(parsed, environment);
}

/** The parsed marker; undefined when it is malformed. */
function parseMarker(text: string): Marker | undefined {
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
  const source = text.trimEnd();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    if (tokens.length === MAX_TOKENS) return undefined;
    const match = TOKEN.exec(source);
    if (!match?.groups) return undefined;
    const [kind, value] =
      Object.entries(match.groups).find(([, found]) => (found as string | undefined) !== undefined) ?? [];
    if (kind === undefined || value === undefined) return undefined;
    tokens.push({ kind: kind as Token['kind'], value: value.replace(/\s+/g, ' ') });
    if (kind === 'text') tokens[tokens.length - 1] = { kind: 'text', value };
  }
  return tokens;
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
    if (token?.kind === 'text') return { text: token.value.slice(1, -1) };
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

function compare(marker: Marker & { kind: 'compare' }, environment: MarkerEnvironment): boolean | undefined {
  const valueOf = ({ variable, text }: Operand) =>
    variable === undefined ? (text ?? '') : (environment[variable] ?? '');
  const { operator } = marker;
  let [left, right] = [valueOf(marker.left), valueOf(marker.right)];
  if (marker.left.variable === 'extra' || marker.right.variable === 'extra') {
    [left, right] = [left, right].map((name) => name.toLowerCase().replace(/[-_.]+/g, '-')) as [
      string,
      string,
    ];
  }
  if (operator === 'in') return right.includes(left);
  if (operator === 'not in') return !right.includes(left);
  // Versions where the right side reads as a specifier, otherwise Python's string comparison.
  if (parseVersion(right.replace(/\.\*$/, '')) && parseVersion(left))
    return satisfies(left, operator + right);
  switch (operator) {
    case '==':
      return left === right;
    case '!=':
      return left !== right;
    case '<':
      return left < right;
    case '>':
      return left > right;
    case '<=':
      return left <= right;
    case '>=':
      return left >= right;
    default:
      return undefined;
  }
}
