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
  const translated = escapedInClasses(pattern)
    .replace(/\(\?P<([A-Za-z_]\w*)>/g, '(?<$1>')
    .replace(/\(\?P=([A-Za-z_]\w*)\)/g, '\\k<$1>')
    .replace(
      /(\\[\s\S])|\{,(\d+)\}/g,
      (_, escape: string | undefined, most: string) => escape ?? `{0,${most}}`,
    )
    .replace(/\\([\s\S])/g, (whole, letter: string) => ESCAPES[letter] ?? whole);
  for (const flags of ['u', '']) {
    try {
      return new RegExp(`^(?:${translated})$`, flags);
    } catch {
      // Without `u` JavaScript takes escapes that need none, as Python does.
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

/** Escapes of Python that mean a place in the text; all others are the same in both. */
const ESCAPES: Readonly<Record<string, string>> = { A: '(?<![\\s\\S])', Z: '(?![\\s\\S])' };
