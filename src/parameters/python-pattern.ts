/**
 * Patterns of the type `string` are regular expressions of Python's `re`. The two languages share nearly all of their
 * syntax; this translates what differs, and refuses what JavaScript cannot express, so that no value is refused by
 * another rule than the package's.
 */

/** Python's syntax that has no equivalent, or another meaning, in JavaScript. */
const FOREIGN = [
  /\(\?[aiLmsux]+(?:-[imsx]+)?[:)]/, // flags inside of the pattern
  /\(\?\(/, // a choice by group
  /\(\?#/, // a comment
  /\(\?>/, // an atomic group
  /[*+?}]\+/, // a possessive quantifier
];

/**
 * The same pattern for JavaScript, which must match the whole text as `re.fullmatch` does.
 *
 * @returns undefined when it is no valid pattern, or when JavaScript cannot express it
 */
export function pythonPattern(pattern: string): RegExp | undefined {
  // What an escape or a class holds is not syntax: it is blanked for the look at what is foreign.
  const bare = pattern.replace(/\\[\s\S]/g, '__').replace(/\[\^?\]?[^\]]*\]/g, '_');
  if (FOREIGN.some((foreign) => foreign.test(bare))) return undefined;
  const named = escapedInClasses(pattern)
    .replace(/\(\?P<([A-Za-z_]\w*)>/g, '(?<$1>')
    .replace(/\(\?P=([A-Za-z_]\w*)\)/g, '\\k<$1>')
    .replace(
      /(\\[\s\S])|\{,(\d+)\}/g,
      (_, escape: string | undefined, most: string) => escape ?? `{0,${most}}`,
    );
  const translated = asMeant(named);
  // Without `u` JavaScript takes braces and brackets by themselves, as Python does, but knows no classes of Unicode.
  for (const flags of /\\[pPu]\{/.test(translated) ? ['u'] : ['u', '']) {
    try {
      return new RegExp(`^(?:${translated})$`, flags);
    } catch {
      // the next one may take it
    }
  }
  return undefined;
}

/** A `]` that is the first in a class is one of its characters in Python; in JavaScript it ends the class. */
function escapedInClasses(pattern: string): string {
  return pattern.replace(
    /\\[\s\S]|\[(\^?)(\]?)((?:\\[\s\S]|[^\]\\])*)\]/g,
    (whole, not: string | undefined, first: string | undefined, rest: string) =>
      first === ']' ? `[${not ?? ''}\\]${rest}]` : whole,
  );
}

/** Letters and digits of all scripts: what `\w` means in Python, and `\w` of JavaScript does not. Marks are none of them. */
const WORD = '\\p{L}\\p{N}_';
const NO_WORD =
  '\\p{M}\\p{S}\\p{Z}\\p{C}\\p{Pd}\\p{Ps}\\p{Pe}\\p{Pi}\\p{Pf}\\p{Po}\\u203f\\u2040\\u2054\\ufe33\\ufe34\\ufe4d-\\ufe4f\\uff3f';
/** What `str.isspace()` says yes to. */
const SPACE = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const NO_SPACE =
  '\\0-\\x08\\x0e-\\x1b\\x21-\\x84\\x86-\\x9f\\xa1-\\u167f\\u1681-\\u1fff\\u200b-\\u2027\\u202a-\\u202e\\u2030-\\u205e\\u2060-\\u2fff\\u3001-\\u{10ffff}';

/** Escapes that mean something else in Python, by themselves and as one of a class. */
const ESCAPES: Readonly<Record<string, [alone: string, inClass?: string]>> = {
  A: ['(?<![\\s\\S])'],
  Z: ['(?![\\s\\S])'],
  a: ['\\x07', '\\x07'],
  b: [`(?:(?<=[${WORD}])(?![${WORD}])|(?<![${WORD}])(?=[${WORD}]))`],
  B: [`(?:(?<=[${WORD}])(?=[${WORD}])|(?<![${WORD}])(?![${WORD}]))`],
  d: ['\\p{Nd}', '\\p{Nd}'],
  D: ['\\P{Nd}', '\\P{Nd}'],
  w: [`[${WORD}]`, WORD],
  W: [`[^${WORD}]`, NO_WORD],
  s: [`[${SPACE}]`, SPACE],
  S: [`[^${SPACE}]`, NO_SPACE],
};
const ESCAPE = /\\(?:U([0-9A-Fa-f]{8})|([\s\S]))/g;

/** Classes and places as Python means them: of all scripts, and a dot for all but a line feed. */
function asMeant(pattern: string): string {
  return pattern.replace(/\\(?:U[0-9A-Fa-f]{8}|[\s\S])|\[(?:\\[\s\S]|[^\]\\])*\]|\./g, (token) => {
    if (token === '.') return '[^\\n]';
    const isClass = token.startsWith('[');
    return token.replace(ESCAPE, (whole, long: string | undefined, letter: string) => {
      if (long !== undefined) return `\\u{${Number.parseInt(long, 16).toString(16)}}`;
      if (Object.hasOwn(ESCAPES, letter)) return ESCAPES[letter]?.[isClass ? 1 : 0] ?? whole;
      // JavaScript takes no escape that is not needed.
      const isNeeded = /[A-Za-z0-9^$\\.*+?()[\]{}|/]/.test(letter) || (letter === '-' && isClass);
      return isNeeded ? whole : letter;
    });
  });
}
