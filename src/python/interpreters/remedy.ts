import { compareNumbers } from '../../package/pep440.js';
import { listed, shown } from '../../package/text.js';
import type { Wheel } from '../../package/types.js';
import type { Interpreter } from '../types.js';

/** Of an interpreter: for what system its wheels are. */
type Here = Pick<Interpreter, 'platform'> & { tags?: Iterable<string> };

/**
 * What to do about wheels that no interpreter takes: they are for another system, another Python or another version of it.
 * Tags stay in an error's details: an interpreter has about a thousand.
 */
export function remedyFor(
  wheels: readonly Pick<Wheel, 'tags'>[],
  interpreters: readonly Here[],
  requiresPython: readonly string[] = [],
): string {
  const [interpreter] = interpreters;
  const here = interpreter && placeHere(interpreter);
  const own = interpreter && newestOf(interpreter);
  const foreign = wheels.flatMap(({ tags }) => tags.flatMap((tag) => placeOf(tag) ?? []));
  const difference = here && foreign.length > 0 ? differenceOf(here, foreign, own) : undefined;
  if (difference !== undefined) return difference;
  const tooOld = here && own && tooOldFor(here, wheels, own);
  if (tooOld !== undefined) return tooOld;
  if (requiresPython.length > 0) {
    const wanted = listed([...new Set(requiresPython)].map(shown), ' and ', 4);
    return `The wheels ask for Python ${wanted}: install such a Python, or pack the package with wheels for a Python of this machine`;
  }
  const pythons = [...new Set(wheels.flatMap(({ tags }) => tags.flatMap(pythonOf)))];
  const made =
    pythons.length > 0
      ? `The wheels are for ${listed(pythons, ' or ', 4)}: install it`
      : 'Install the Python that the wheels were made for';
  return `${made}, or pack the package for a Python of this machine`;
}

/** What a wheel with compiled code is for. */
interface Place {
  system: 'Windows' | 'Linux' | 'macOS';
  /** As Linux names it; none for macOS, whose wheels often are for several. */
  machine?: string;
  libc?: 'glibc' | 'musl';
}

/** The place that a tag, or a platform, is for; undefined for every place. */
function placeOf(tag: string): Place | undefined {
  const platform = tag.slice(tag.lastIndexOf('-') + 1);
  if (platform.startsWith('win')) {
    const machine = { win_amd64: 'x86_64', win_arm64: 'aarch64', win32: 'i686' }[platform];
    return { system: 'Windows', ...(machine !== undefined && { machine }) };
  }
  if (platform.startsWith('macosx')) return { system: 'macOS' };
  const [, kind, machine] = /^(manylinux\d*|musllinux|linux)(?:_\d+_\d+)?_(.+)$/.exec(platform) ?? [];
  if (kind === undefined || machine === undefined) return undefined;
  const libc = kind === 'linux' ? undefined : kind === 'musllinux' ? 'musl' : 'glibc';
  return { system: 'Linux', machine, ...(libc && { libc }) };
}

function placeHere({ platform, tags = [] }: Here): Place | undefined {
  const place = placeOf(platform);
  if (place?.system !== 'Linux') return place;
  const isMusl = [...tags].some((tag) => tag.includes('-musllinux_'));
  return { ...place, libc: isMusl ? 'musl' : 'glibc' };
}

/** What keeps the wheels from this place, of system, processor and C library the first that differs, and what to do. */
function differenceOf(here: Place, wheels: readonly Place[], version: Since | undefined): string | undefined {
  const nameBy: ((place: Place) => string | undefined)[] = [
    ({ system }) => system,
    ({ system, machine }) => machine && `${system} on ${machine}`,
    ({ system, libc }) => libc && `${system} with ${libc}`,
  ];
  for (const nameOf of nameBy) {
    const own = nameOf(here);
    const names = [...new Set(wheels.map(nameOf))];
    // A wheel that does not say is for each.
    if (own === undefined || names.includes(own) || names.includes(undefined)) continue;
    return `It is packed for ${names.join(' and ')}, and this is ${own}: pack it again with -w ${platformFor(here, version)}`;
  }
  return undefined;
}

/** A version of the system or its C library from which on a tag is good. */
interface Since {
  of: 'glibc' | 'musl' | 'macOS';
  version: number[];
}

/** Names of tags that came before those with the version in them (PEP 513, 571, 599), oldest first. */
const OLD_NAMES: Readonly<Record<string, number[]>> = {
  manylinux1: [2, 5],
  manylinux2010: [2, 12],
  manylinux2014: [2, 17],
};

const KINDS: Readonly<Record<string, Since['of']>> = {
  manylinux: 'glibc',
  musllinux: 'musl',
  macosx: 'macOS',
};

/** Undefined for a tag that is good from the beginning. */
function sinceOf(tag: string): Since | undefined {
  const platform = tag.slice(tag.lastIndexOf('-') + 1);
  const [, kind = '', ...version] = /^(manylinux|musllinux|macosx)_(\d+)_(\d+)_/.exec(platform) ?? [];
  const of = KINDS[kind];
  if (of) return { of, version: version.map(Number) };
  const old = OLD_NAMES[/^manylinux\d+/.exec(platform)?.[0] ?? ''];
  return old && { of: 'glibc', version: old };
}

/** The version of the system that an interpreter is on, as its newest tag tells. */
function newestOf({ tags = [] }: Here): Since | undefined {
  return [...tags].flatMap((tag) => sinceOf(tag) ?? []).sort((a, b) => byVersion(b, a))[0];
}

function byVersion(a: Since, b: Since): number {
  return compareNumbers(a.version, b.version);
}

/** What to do where no wheel is good for a system this old, whatever Python it has; undefined where one is. */
function tooOldFor(here: Place, wheels: readonly Pick<Wheel, 'tags'>[], own: Since): string | undefined {
  const needs = wheels.map((wheel) => {
    const all = wheel.tags.map(sinceOf);
    const [least] = all.flatMap((one) => (one?.of === own.of ? [one] : [])).sort(byVersion);
    return all.includes(undefined) || !least || byVersion(least, own) <= 0 ? undefined : least;
  });
  const [most] = needs.flatMap((one) => one ?? []).sort((a, b) => byVersion(b, a));
  if (!most || needs.includes(undefined)) return undefined;
  const [needed, found] = [most, own].map(({ version }) => version.join('.'));
  return `The wheels need ${own.of} ${needed} or later, and this system has ${own.of} ${found}: pack the package again with -w ${platformFor(here, own)}, or run it on a newer system`;
}

/** What procvision-cli is to be given for a place. */
function platformFor({ system, machine = 'x86_64', libc }: Place, own?: Since): string {
  if (system === 'Windows') return machine === 'aarch64' ? 'win_arm64' : 'win_amd64';
  if (system === 'macOS') return 'macosx_11_0_universal2';
  if (own?.of === 'glibc' && compareNumbers(own.version, [2, 28]) < 0) {
    const fitting = Object.keys(OLD_NAMES).filter(
      (name) => compareNumbers(OLD_NAMES[name] ?? [], own.version) <= 0,
    );
    return `${fitting.at(-1) ?? 'manylinux1'}_${machine}`;
  }
  return libc === 'musl' ? `musllinux_1_2_${machine}` : `manylinux_2_28_${machine}`;
}

/** CPython 3.11 for `cp311-cp311-…`, and later ones for `cp311-abi3-…`; nothing for a tag of other Pythons. */
function pythonOf(tag: string): string[] {
  const [, major, minor, stable, threads] = /^cp(\d)(\d+)-(?:cp\d+m?u?|(abi3))(t)?d?-/.exec(tag) ?? [];
  if (major === undefined || minor === undefined) return [];
  // Free-threaded builds have an ABI of their own, and a stable one (PEP 803).
  const kind = threads === undefined ? 'CPython' : 'free-threaded CPython';
  return [`${kind} ${major}.${minor}${stable === undefined ? '' : ' or later'}`];
}
