/**
 * What a subprocess inherits: what Python needs to find its libraries, its temp dir and its locale, and nothing of
 * the host's own. An allow-list, because a host's environment holds secrets.
 */
const INHERITED = [
  'PATH',
  'HOME',
  'LANG',
  'LC_ALL',
  'LC_CTYPE',
  'TZ',
  'TMPDIR',
  'TEMP',
  'TMP',
  'SYSTEMROOT',
  'SYSTEMDRIVE',
  'WINDIR',
  'COMSPEC',
  'PATHEXT',
  'USERPROFILE',
  'LOCALAPPDATA',
  'APPDATA',
  'PROGRAMDATA',
  'NUMBER_OF_PROCESSORS',
  'PROCESSOR_ARCHITECTURE',
  'LD_LIBRARY_PATH',
  'CUDA_VISIBLE_DEVICES',
  'CUDA_PATH',
  'NVIDIA_VISIBLE_DEVICES',
  'NVIDIA_DRIVER_CAPABILITIES',
  'OMP_NUM_THREADS',
];

/**
 * The environment for a Python subprocess: the allow-list of the host's variables, Python kept to itself
 * (`PYTHONHOME`, `PYTHONPATH` and the user site never reach it), then `extra`.
 */
export function pythonEnvironment(
  extra: NodeJS.ProcessEnv = {},
  host: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {};
  const allowed = new Set(INHERITED);
  for (const [name, value] of Object.entries(host)) {
    if (value !== undefined && allowed.has(name.toUpperCase())) environment[name] = value;
  }
  return {
    ...environment,
    PYTHONNOUSERSITE: '1',
    PYTHONUNBUFFERED: '1',
    PYTHONIOENCODING: 'utf-8',
    ...extra,
  };
}
