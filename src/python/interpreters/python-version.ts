import { compareNumbers, dottedNumbers } from '../../package/pep440.js';

/** Whether a version such as `3.11.7` meets what a package wrote; undefined when that cannot be understood. */
export function meetsVersion(version: string, wanted: string): boolean | undefined {
  const text = wanted.trim().toLowerCase();
  if (text === '' || text === '*' || text === 'any') return true;
  const short = /^(?:cp|py)?(\d)(\d{1,2})$/.exec(text);
  if (short) return startsWith(version, [Number(short[1]), Number(short[2])]);
  const clauses = text.split(',').map((clause) => clause.trim());
  let meets = true;
  for (const clause of clauses) {
    const match =
      /^(===?|>=|<=|>|<|!=|~=|\^)?\s*(?:python\s*|cpython\s*|v)?(\d+(?:\.\d+)*)(\.\*|\.x|\+)?$/.exec(clause);
    if (!match) return undefined;
    const [, operator = '', digits = '', ending] = match;
    meets &&= clauseHolds(version, operator, dottedNumbers(digits), ending);
  }
  return meets;
}

function clauseHolds(
  version: string,
  operator: string,
  wanted: number[],
  ending: string | undefined,
): boolean {
  if (ending === '+') return compare(version, wanted) >= 0;
  switch (operator) {
    case '>=':
      return compare(version, wanted) >= 0;
    case '<=':
      return compare(version, wanted) <= 0 || startsWith(version, wanted);
    case '>':
      return compare(version, wanted) > 0 && !startsWith(version, wanted);
    case '<':
      return compare(version, wanted) < 0;
    case '!=':
      return !startsWith(version, wanted);
    case '~=':
      return compare(version, wanted) >= 0 && startsWith(version, wanted.slice(0, -1));
    case '^':
      return compare(version, wanted) >= 0 && startsWith(version, wanted.slice(0, 1));
    default:
      // A package made with 3.11.7 runs on any 3.11: extension modules are bound to the minor version.
      return startsWith(version, wanted.slice(0, 2));
  }
}

function compare(version: string, wanted: readonly number[]): number {
  return compareNumbers(dottedNumbers(version), wanted);
}

function startsWith(version: string, wanted: readonly number[]): boolean {
  const parts = dottedNumbers(version);
  return wanted.every((part, index) => parts[index] === part);
}
