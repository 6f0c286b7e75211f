/** Versions and version specifiers of Python packages, as PEP 440 says. */

/** Past 2^53, where dates with a time are, as a bigint: rounded, two versions would be one. */
type Whole = number | bigint;

interface Version {
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
  const trimmed = text.trim();
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
    compareKeys([a.epoch], [b.epoch]) ||
    compareKeys(a.release, b.release) ||
    compareKeys(sortKey(a), sortKey(b)) ||
    compareLocal(a.local, b.local)
  );
}

/** Whether a version meets a comma-separated list of specifiers. Undefined when either cannot be read. */
export function satisfies(versionText: string, specifierText: string): boolean | undefined {
  const version = parseVersion(versionText);
  if (!version) return undefined;
  let isMet = true;
  for (const clause of specifierText.split(',').map((part) => part.trim())) {
    if (clause === '') continue;
    const met = meets(version, versionText, clause);
    if (met === undefined) return undefined;
    isMet &&= met;
  }
  return isMet;
}

const CLAUSE = /^(?<operator>===|~=|==|!=|<=|>=|<|>)\s*(?<text>\S+?)(?<wildcard>\.\*)?$/;

function meets(version: Version, versionText: string, clause: string): boolean | undefined {
  const groups = CLAUSE.exec(clause)?.groups;
  const { operator = '', text = '', wildcard } = groups ?? {};
  if (!groups) return undefined;
  if (operator === '===')
    return versionText.trim().toLowerCase() === `${text}${wildcard ?? ''}`.toLowerCase();
  const wanted = parseVersion(text);
  if (!wanted) return undefined;
  if (wildcard !== undefined) {
    if (operator === '==') return hasPrefix(version, wanted);
    return operator === '!=' ? !hasPrefix(version, wanted) : undefined;
  }
  // A local label counts only where the specifier has one, and never for an order (PEP 440, "Version specifiers").
  const plain = wanted.local === undefined ? { ...version, local: undefined } : version;
  const order = compareVersions(plain, wanted);
  switch (operator) {
    case '==':
      return order === 0;
    case '!=':
      return order !== 0;
    case '<=':
      return compareVersions({ ...version, local: undefined }, wanted) <= 0;
    case '>=':
      return compareVersions({ ...version, local: undefined }, wanted) >= 0;
    case '<':
      return isBelow(version, wanted);
    case '>':
      return isAbove(version, wanted);
    default: {
      if (wanted.release.length < 2) return undefined;
      const prefix = {
        ...wanted,
        release: wanted.release.slice(0, -1),
        pre: undefined,
        post: undefined,
        dev: undefined,
      };
      return compareVersions({ ...version, local: undefined }, wanted) >= 0 && hasPrefix(version, prefix);
    }
  }
}

/** `<V` leaves out pre-releases of V, unless V is one itself. */
function isBelow(version: Version, wanted: Version): boolean {
  if (compareVersions(version, wanted) >= 0) return false;
  const isOfWanted = compareKeys(releaseKey(version), releaseKey(wanted)) === 0;
  const isEarly = (v: Version) => v.pre !== undefined || v.dev !== undefined;
  return isEarly(wanted) || !isEarly(version) || !isOfWanted;
}

/** `>V` leaves out post-releases and local versions of V, unless V is a post-release. */
function isAbove(version: Version, wanted: Version): boolean {
  if (compareVersions(version, wanted) <= 0) return false;
  const isOfWanted = compareKeys(releaseKey(version), releaseKey(wanted)) === 0;
  if (wanted.post === undefined && version.post !== undefined && isOfWanted) return false;
  return !(version.local !== undefined && isOfWanted);
}

function hasPrefix(version: Version, prefix: Version): boolean {
  if (version.epoch !== prefix.epoch) return false;
  const release = prefix.release.map((_, index) => version.release[index] ?? 0);
  if (compareKeys(release, prefix.release) !== 0) return false;
  // A prefix such as 1.0a1.* goes beyond the release.
  if (prefix.pre && (version.pre?.[0] !== prefix.pre[0] || version.pre[1] !== prefix.pre[1])) return false;
  return prefix.post === undefined || version.post === prefix.post;
}

function releaseKey({ epoch, release }: Version): Whole[] {
  const end = release.findLastIndex((part) => part !== 0);
  return [epoch, ...release.slice(0, end + 1)];
}

/** Order of versions with one release: dev releases before pre-releases before the release before post-releases. */
function sortKey(version: Version): Whole[] {
  const { pre, post, dev } = version;
  const rank = { a: 1, b: 2, rc: 3 }[pre?.[0] ?? ''] ?? (post === undefined && dev !== undefined ? 0 : 4);
  return [rank, pre?.[1] ?? 0, post ?? -1, dev ?? Infinity];
}

function compareKeys(a: readonly Whole[], b: readonly Whole[]): number {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const [left, right] = [a[index] ?? 0, b[index] ?? 0];
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
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
