import { listed, shown } from '../../package/text.js';
import type { Wheel } from '../../package/types.js';
import type { Interpreter } from '../types.js';

/**
 * What to do about wheels that no interpreter takes: they are for another system, another Python or another version of it.
 * Tags stay in an error's details: an interpreter has about a thousand.
 */
export function remedyFor(
  wheels: readonly Pick<Wheel, 'tags'>[],
  interpreters: readonly Pick<Interpreter, 'platform'>[],
  requiresPython: readonly string[] = [],
): string {
  const here = interpreters[0]?.platform ?? '';
  const foreign = [...new Set(wheels.flatMap(({ tags }) => tags.map(systemOf)))].filter(
    (system) => system !== undefined,
  );
  const system = systemOf(here);
  if (foreign.length > 0 && system !== undefined && !foreign.includes(system)) {
    const machine = /aarch64|arm64/.test(here) ? 'aarch64' : 'x86_64';
    const platform = system === 'Windows' ? 'win_amd64' : `manylinux_2_28_${machine}`;
    return `It is packed for ${foreign.join(' and ')}, and this is ${system}: pack it again with -w ${platform}`;
  }
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

/** The system that a tag, or a platform, is for; undefined for every system. */
function systemOf(tag: string): string | undefined {
  const platform = tag.slice(tag.lastIndexOf('-') + 1);
  if (platform.startsWith('win')) return 'Windows';
  if (platform.includes('linux')) return 'Linux';
  return platform.startsWith('macosx') ? 'macOS' : undefined;
}

/** CPython 3.11 for `cp311-cp311-…`; nothing for a tag of several versions. */
function pythonOf(tag: string): string[] {
  const [, major, minor] = /^cp(\d)(\d+)-cp\d/.exec(tag) ?? [];
  return major === undefined || minor === undefined ? [] : [`CPython ${major}.${minor}`];
}
