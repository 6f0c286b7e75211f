/** What the markers of PEP 508 are evaluated in by tests: one Python on Linux. */
export const markerEnvironment = {
  os_name: 'posix',
  sys_platform: 'linux',
  platform_system: 'Linux',
  platform_machine: 'x86_64',
  platform_release: '',
  platform_version: '',
  python_version: '3.10',
  python_full_version: '3.10.13',
  platform_python_implementation: 'CPython',
  implementation_name: 'cpython',
  implementation_version: '3.10.13',
  extra: '',
};
