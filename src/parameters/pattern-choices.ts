/** Longer ones are not read: groups are read one within another. */
const LONGEST_SOURCE = 1_000;

/** One character of a text, by itself, as one of a class or by an escape. Not a backreference. */
const ATOM = /\\(?:[pPu]\{[^}]*\}|[^1-9k])|\[(?:\\[\s\S]|[^\]\\])*\]|[^\\[\](){}|*+?]/y;
const OPENING = /\((?:\?:|\?<[A-Za-z_]\w*>|(?!\?))/y;
const REPETITION = /(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})\??/y;

/**
 * In how many ways, at most, a backtracking matcher goes through a text with a pattern of JavaScript: the product of what each
 * repetition and each alternation lets it choose.
 *
 * @param length - of the text
 * @returns Infinity for what is not read: lookarounds, backreferences, and groups that are repeated any number of times, which may
 * hold repetitions in turn
 */
export function choicesOf(source: string, length: number): number {
  if (source.length > LONGEST_SOURCE) return Infinity;
  let at = 0;
  const take = (part: RegExp) => {
    part.lastIndex = at;
    const found = part.exec(source);
    if (found) at = part.lastIndex;
    return found;
  };
  const alternatives = (): number => {
    let ways = sequence();
    for (; source[at] === '|'; ways += sequence()) at++;
    return ways;
  };
  const sequence = (): number => {
    for (let ways = 1; ;) {
      let ofOne = 1;
      const isGroup = take(OPENING) !== null;
      if (isGroup) {
        ofOne = alternatives();
        if (source[at++] !== ')') return Infinity;
      } else if (!take(ATOM)) return ways;
      ways *= repeated(ofOne, isGroup, length, take(REPETITION));
    }
  };
  const ways = alternatives();
  return at === source.length ? ways : Infinity;
}

function repeated(
  ofOne: number,
  isGroup: boolean,
  length: number,
  repetition: RegExpExecArray | null,
): number {
  if (!repetition) return ofOne;
  const [, sign, least = '', comma, most = ''] = repetition;
  if (sign === '?') return ofOne + 1;
  if (sign === undefined && comma === undefined) return ofOne ** Number(least);
  if (isGroup) return Infinity;
  return (most === '' ? length : Number(most) - Number(least)) + 1;
}
