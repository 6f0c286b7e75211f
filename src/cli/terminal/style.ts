/** Writes text in a colour where the stream is a terminal that shows colours; the text alone elsewhere. */
export interface Style {
  bold: (text: string) => string;
  dim: (text: string) => string;
  red: (text: string) => string;
  green: (text: string) => string;
  yellow: (text: string) => string;
}

/** Codes of ECMA-48, SGR: on and off. */
const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
} as const;

/** `NO_COLOR` (no-color.org) takes the colours away, `FORCE_COLOR` gives them to a stream that is no terminal. */
export function styleOf(
  stream: { isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): Style {
  const isWanted =
    (env.NO_COLOR ?? '') === '' &&
    ((env.FORCE_COLOR ?? '0') !== '0' || (stream.isTTY === true && env.TERM !== 'dumb'));
  const paint = (name: keyof typeof CODES) => (text: string) =>
    isWanted ? `\u001b[${CODES[name][0]}m${text}\u001b[${CODES[name][1]}m` : text;
  return {
    ...{ bold: paint('bold'), dim: paint('dim') },
    ...{ red: paint('red'), green: paint('green'), yellow: paint('yellow') },
  };
}
