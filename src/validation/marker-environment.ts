import type { MarkerEnvironment } from '../package/pep508.js';
import type { Interpreter } from '../python/types.js';

/** Marker variables of an interpreter (PEP 508), as far as its version and platform tell them. */
export function markerEnvironment({ version, implementation, platform }: Interpreter): MarkerEnvironment {
  const [major = '', minor = ''] = version.split('.');
  const machine = /(x86_64|amd64|aarch64|arm64|i686|armv7l|win32)$/.exec(platform)?.[1] ?? '';
  const family = platform.startsWith('win') ? WINDOWS : platform.startsWith('macosx') ? MACOS : LINUX;
  const isCpython = implementation === 'cpython';
  return {
    ...family,
    python_version: `${major}.${minor}`,
    python_full_version: version,
    platform_machine: machine === 'amd64' ? 'AMD64' : machine === 'win32' ? 'x86' : machine,
    platform_python_implementation: isCpython
      ? 'CPython'
      : implementation === 'pypy'
        ? 'PyPy'
        : implementation,
    implementation_name: implementation,
    implementation_version: version,
    platform_release: '',
    platform_version: '',
  };
}

const LINUX = { os_name: 'posix', sys_platform: 'linux', platform_system: 'Linux' };
const MACOS = { os_name: 'posix', sys_platform: 'darwin', platform_system: 'Darwin' };
const WINDOWS = { os_name: 'nt', sys_platform: 'win32', platform_system: 'Windows' };
