/** One media range of an `Accept` header. */
interface Range {
  name: string;
  /** How much it says: 0 for every type, 1 for `type/*`, 2 for a whole name. */
  precision: number;
  weight: number;
  place: number;
}

/**
 * The media type to answer with (RFC 9110, 12.5.1): the one the client weighs highest, then the one it names most
 * precisely, then the one it names first, then the one offered first. Without a header anything will do.
 *
 * @returns undefined when the client takes none of those offered
 */
export function negotiate<T extends string>(accept: string | null, offered: readonly T[]): T | undefined {
  const ranges = readRanges(accept ?? '');
  if (ranges.length === 0) return offered[0];
  const candidates = offered.flatMap((type) => {
    const [range] = ranges.filter((one) => covers(one, type)).sort((a, b) => b.precision - a.precision);
    return range && range.weight > 0 ? [{ type, range }] : [];
  });
  candidates.sort(
    ({ range: a }, { range: b }) => b.weight - a.weight || b.precision - a.precision || a.place - b.place,
  );
  return candidates[0]?.type;
}

function readRanges(accept: string): Range[] {
  return accept.split(',').flatMap((part, place) => {
    const [name = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    if (!/^[^\s/]+\/[^\s/]+$/.test(name)) return [];
    const given = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
    const weight = given === undefined ? 1 : Number(given);
    const precision = name === '*/*' ? 0 : name.endsWith('/*') ? 1 : 2;
    return [{ name, precision, weight: Number.isFinite(weight) ? weight : 0, place }];
  });
}

function covers({ name, precision }: Range, offered: string): boolean {
  if (precision === 0) return true;
  return precision === 1 ? offered.startsWith(name.slice(0, -1)) : offered === name;
}
