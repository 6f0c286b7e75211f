/** Versions and version specifiers of Python packages, as PEP 440 says. */
import { PYTHON_SPACE, pythonStrip } from './text.js';

/** Past 2^53, where dates with a time are, as a bigint: rounded, two versions would be one. */
type Whole = number | bigint;

/** What a version says, part by part. */
export interface Version {
  epoch: Whole;
  release: Whole[];
  /** Letter a, b or rc, and number. */
  pre: [letter: string, number: Whole] | undefined;
  post: Whole | undefined;
  dev: Whole | undefined;
  local: (string | Whole)[] | undefined;
}

/** Longer than any version; the numbers in it are bounded by that, too. */
const MAX_VERSION_CHARACTERS = 256;

function whole(digits: string | undefined): Whole {
  const value = Number(digits ?? 0);
  return Number.isSafeInteger(value) ? value : BigInt(digits ?? 0);
}

const VERSION =
  /^v?(?:(?<epoch>\d+)!)?(?<release>\d+(?:\.\d+)*)(?:[-_.]?(?<pre>a|b|c|rc|alpha|beta|pre|preview)[-_.]?(?<preNumber>\d*))?(?:-(?<postImplicit>\d+)|(?<post>[-_.]?(?:post|rev|r)[-_.]?)(?<postNumber>\d*))?(?:(?<dev>[-_.]?dev[-_.]?)(?<devNumber>\d*))?(?:\+(?<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?$/i;

const PRE_LETTERS: Record<string, string> = { alpha: 'a', beta: 'b', c: 'rc', pre: 'rc', preview: 'rc' };

/** Undefined when the text is no version. */
export function parseVersion(text: string): Version | undefined {
  const trimmed = pythonStrip(text);
  const groups = trimmed.length > MAX_VERSION_CHARACTERS ? undefined : VERSION.exec(trimmed)?.groups;
  if (!groups) return undefined;
  const {
    epoch,
    release = '',
    pre,
    preNumber,
    postImplicit,
    post,
    postNumber,
    dev,
    devNumber,
    local,
  } = groups as Record<string, string | undefined>;
  const letter = pre?.toLowerCase();
  return {
    epoch: whole(epoch),
    release: release.split('.').map(whole),
    pre: letter === undefined ? undefined : [PRE_LETTERS[letter] ?? letter, whole(preNumber)],
    post:
      postImplicit === undefined ? (post === undefined ? undefined : whole(postNumber)) : whole(postImplicit),
    dev: dev === undefined ? undefined : whole(devNumber),
    local: local
      ?.toLowerCase()
      .split(/[-_.]/)
      .map((part) => (/^\d+$/.test(part) ? whole(part) : part)),
  };
}

/** Below zero when `a` is the earlier version. */
export function compareVersions(a: Version, b: Version): number {
  return (
    compareNumbers([a.epoch], [b.epoch]) ||
    compareNumbers(a.release, b.release) ||
    compareNumbers(sortKey(a), sortKey(b)) ||
    compareLocal(a.local, b.local)
  );
}

/** One clause of a list of specifiers, such as `>=1.2` or `==1.*`. */
export interface Specifier {
  operator: string;
  /** The version as written, without `.*`. */
  text: string;
  /** Undefined for `===`, which compares text. */
  version: Version | undefined;
  hasWildcard: boolean;
}

/** A version with all it may have, as a specifier may name it. */
const NUMBERS = String.raw`v?(?:\d+!)?\d+(?:\.\d+)*`;
const LABELS = String.raw`(?:[-_.]?(?:alpha|beta|preview|pre|a|b|c|rc)[-_.]?\d*)?(?:-\d+|[-_.]?(?:post|rev|r)[-_.]?\d*)?(?:[-_.]?dev[-_.]?\d*)?`;
const LOCAL = String.raw`(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?`;
const BLANKS = `[${PYTHON_SPACE}]*`;
/** As packaging reads them, which is in pip: a wildcard or a local label only after `==` and `!=`, two numbers after `~=`. */
const CLAUSE = new RegExp(
  [
    String.raw`(?<same>===)${BLANKS}(?<any>[^${PYTHON_SPACE};)]*)`,
    String.raw`(?<equal>==|!=)${BLANKS}(?:(?<prefix>${NUMBERS})\.\*|(?<whole>${NUMBERS}${LABELS}${LOCAL}))`,
    String.raw`(?<like>~=)${BLANKS}(?<series>v?(?:\d+!)?\d+(?:\.\d+)+${LABELS})`,
    String.raw`(?<order><=|>=|<|>)${BLANKS}(?<bound>${NUMBERS}${LABELS})`,
  ].join('|'),
  'iy',
);

/** One clause at a place of a text, and where it ends; undefined where there is none that can be read. */
export function specifierAt(text: string, from: number): { specifier: Specifier; end: number } | undefined {
  CLAUSE.lastIndex = from;
  const found = CLAUSE.exec(text);
  if (!found?.groups) return undefined;
  const { same, any, equal, prefix, whole, like, series, order, bound } = found.groups as Record<
    string,
    string | undefined
  >;
  const written = any ?? prefix ?? whole ?? series ?? bound ?? '';
  const version = same === undefined ? parseVersion(written) : undefined;
  if (same === undefined && !version) return undefined;
  const operator = same ?? equal ?? like ?? order ?? '';
  const specifier = { operator, text: written, version, hasWildcard: prefix !== undefined };
  return { specifier, end: CLAUSE.lastIndex };
}

/** The clauses of a comma-separated list of specifiers. Undefined when one cannot be read. */
export function parseSpecifiers(text: string): Specifier[] | undefined {
  const specifiers: Specifier[] = [];
  for (const part of text.split(',').map(pythonStrip)) {
    if (part === '') continue;
    const found = specifierAt(part, 0);
    if (found?.end !== part.length) return undefined;
    specifiers.push(found.specifier);
  }
  return specifiers;
}

/** Whether a version meets a comma-separated list of specifiers. Undefined when either cannot be read. */
export function satisfies(versionText: string, specifierText: string): boolean | undefined {
  const version = parseVersion(versionText);
  const specifiers = parseSpecifiers(specifierText);
  return version && specifiers?.every((specifier) => meets(version, specifier));
}

/** Whether a version meets a clause. A pre-release does: whether one will do at all is another question. */
export function meets(
  version: Version,
  { operator, text, version: wanted, hasWildcard }: Specifier,
): boolean {
  if (!wanted) return formatVersion(version).toLowerCase() === text.toLowerCase();
  if (hasWildcard) return isInSeries(version, wanted) === (operator === '==');
  switch (operator) {
    case '==':
      return isSame(version, wanted);
    case '!=':
      return !isSame(version, wanted);
    case '<=':
      return compareVersions(version, wanted) <= 0 || isSame(version, wanted);
    case '>=':
      return compareVersions(version, wanted) >= 0;
    case '<':
      // Without the pre-releases of a version that is none itself.
      return (
        compareVersions(version, isPreRelease(wanted) ? wanted : { ...wanted, dev: 0, local: undefined }) < 0
      );
    case '>':
      return isAbove(version, wanted);
    default:
      return (
        compareVersions(version, wanted) >= 0 &&
        isInSeries(version, { ...wanted, release: wanted.release.slice(0, -1) })
      );
  }
}

/** Whether it is an alpha, beta, release candidate or development release. */
export function isPreRelease({ pre, dev }: Version): boolean {
  return pre !== undefined || dev !== undefined;
}

/**
 * Whether a list of specifiers asks for pre-releases by naming one. Otherwise one is taken only where nothing final meets
 * the list.
 */
export function namesPreRelease(specifiers: readonly Specifier[]): boolean {
  return specifiers.some(({ operator, text, version, hasWildcard }) => {
    if (operator === '!=' || hasWildcard) return false;
    const named = version ?? parseVersion(text);
    return named !== undefined && isPreRelease(named);
  });
}

/** A version in its normal form. */
export function formatVersion({ epoch, release, pre, post, dev, local }: Version): string {
  return [
    Number(epoch) === 0 ? '' : `${epoch}!`,
    release.join('.'),
    pre?.join('') ?? '',
    post === undefined ? '' : `.post${post}`,
    dev === undefined ? '' : `.dev${dev}`,
    local === undefined ? '' : `+${local.join('.')}`,
  ].join('');
}

/** The same version; a local label counts only where the wanted one has it. */
function isSame(version: Version, wanted: Version): boolean {
  const plain = wanted.local === undefined ? { ...version, local: undefined } : version;
  return compareVersions(plain, wanted) === 0;
}

/** `>V` leaves out post-releases and local versions of V. */
function isAbove(version: Version, wanted: Version): boolean {
  const { dev, post } = wanted;
  if (dev !== undefined)
    return compareVersions(version, { ...wanted, dev: next(dev), local: undefined }) >= 0;
  if (post !== undefined) {
    return compareVersions(version, { ...wanted, post: next(post), dev: 0, local: undefined }) >= 0;
  }
  if (compareVersions(version, wanted) <= 0) return false;
  const isOfWanted =
    compareNumbers([version.epoch, ...version.release], [wanted.epoch, ...wanted.release]) === 0;
  return !isOfWanted || version.pre?.[0] !== wanted.pre?.[0] || version.pre?.[1] !== wanted.pre?.[1];
}

/** Whether it is from the first development release of a series of versions, `1.2`, on, and before that of the next. */
function isInSeries(version: Version, { epoch, release }: Version): boolean {
  const firstOf = (numbers: Whole[]): Version => ({
    ...{ epoch, release: numbers, pre: undefined, post: undefined, dev: 0, local: undefined },
  });
  const following = [...release.slice(0, -1), next(release.at(-1) ?? 0)];
  return compareVersions(version, firstOf(release)) >= 0 && compareVersions(version, firstOf(following)) < 0;
}

function next(number: Whole): Whole {
  return whole(String(BigInt(number) + 1n));
}

/** Order of versions with one release: dev releases before pre-releases before the release before post-releases. */
function sortKey(version: Version): Whole[] {
  const { pre, post, dev } = version;
  const rank = { a: 1, b: 2, rc: 3 }[pre?.[0] ?? ''] ?? (post === undefined && dev !== undefined ? 0 : 4);
  return [rank, pre?.[1] ?? 0, post ?? -1, dev ?? Infinity];
}

/** Order of lists of numbers, as of versions: below zero when `a` is the earlier. A list that has ended goes on with zeros. */
export function compareNumbers(a: readonly Whole[], b: readonly Whole[]): number {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const [left, right] = [a[index] ?? 0, b[index] ?? 0];
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}

/** The numbers of a text with dots: of `3.13.0rc1` 3, 13 and 0. A part without one is 0. */
export function dottedNumbers(text: string): number[] {
  return text.split('.').map((part) => Number.parseInt(part, 10) || 0);
}

/** No label before any; a number after any text; a longer label after its own beginning. */
function compareLocal(a: Version['local'], b: Version['local']): number {
  if (!a || !b) return Number(a !== undefined) - Number(b !== undefined);
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const left = a[index];
    const right = b[index];
    if (left === right) continue;
    if (left === undefined) return -1;
    if (right === undefined) return 1;
    if (typeof left === 'string' || typeof right === 'string') {
      if (typeof left !== typeof right) return typeof left === 'string' ? -1 : 1;
    }
    return left < right ? -1 : 1;
  }
  return 0;
}
