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
  const foreign = wheels.flatMap(({ tags }) => tags.flatMap((tag) => placeOf(tag) ?? []));
  const difference = here && foreign.length > 0 ? differenceOf(here, foreign) : undefined;
  if (difference !== undefined) return difference;
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
function differenceOf(here: Place, wheels: readonly Place[]): string | undefined {
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
    return `It is packed for ${names.join(' and ')}, and this is ${own}: pack it again with -w ${platformFor(here)}`;
  }
  return undefined;
}

/** What procvision-cli is to be given for a place. */
function platformFor({ system, machine = 'x86_64', libc }: Place): string {
  if (system === 'Windows') return machine === 'aarch64' ? 'win_arm64' : 'win_amd64';
  if (system === 'macOS') return 'macosx_11_0_universal2';
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
