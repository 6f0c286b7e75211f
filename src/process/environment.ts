/**
 * What a subprocess inherits: what Python needs to find its libraries, its temp dir, its user and its locale, what the
 * installers of cameras and of vision libraries set for the whole machine, and nothing of the host's own. An allow-list,
 * because a host's environment holds secrets.
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
  'PROCESSOR_ARCHITEW6432',
  // `platform.processor()` and what chooses code by the processor (py-cpuinfo, OpenVINO) read it.
  'PROCESSOR_IDENTIFIER',
  'PROCESSOR_LEVEL',
  'PROCESSOR_REVISION',
  'OS',
  'HOMEDRIVE',
  'HOMEPATH',
  'PUBLIC',
  'ALLUSERSPROFILE',
  // Where drivers, licences and run times of a vendor are looked for on Windows.
  'PROGRAMFILES',
  'PROGRAMFILES(X86)',
  'PROGRAMW6432',
  'COMMONPROGRAMFILES',
  'COMMONPROGRAMFILES(X86)',
  'COMMONPROGRAMW6432',
  'LD_LIBRARY_PATH',
  'CUDA_VISIBLE_DEVICES',
  'CUDA_PATH',
  'NVIDIA_VISIBLE_DEVICES',
  'NVIDIA_DRIVER_CAPABILITIES',
  'OMP_NUM_THREADS',
  // `getpass.getuser()` and `os.path.expanduser()` ask for these, where a user has no account.
  'USER',
  'LOGNAME',
  'USERNAME',
  'LANGUAGE',
  'LC_NUMERIC',
  'LC_TIME',
  'LC_COLLATE',
  'LC_MESSAGES',
  // GenICam and GenTL (EMVA), and SDKs of cameras and of vision: HikRobot, Basler, FLIR, Allied Vision, IDS, Teledyne, HALCON.
  'GENICAM_GENTL32_PATH',
  'GENICAM_GENTL64_PATH',
  'GENICAM_ROOT',
  'GENICAM_CACHE',
  'MVCAM_COMMON_RUNENV',
  'MVCAM_SDK_PATH',
  'MVCAM_GENICAM_CLPROTOCOL',
  'PYLON_ROOT',
  'PYLON_CAMEMU',
  'SPINNAKER_GENTL64_CTI',
  'VIMBA_HOME',
  'VIMBA_X_HOME',
  'IDS_PEAK_PATH',
  'GIGEV_DIR',
  'HALCONROOT',
  'HALCONARCH',
  'HALCONEXTENSIONS',
  'INTEL_OPENVINO_DIR',
  'CUDA_HOME',
];

/** One for each CUDA that is installed: its installer for Windows sets `CUDA_PATH_V12_4` and the like. */
const OF_A_CUDA = /^CUDA_PATH_V\d+_\d+$/;

/**
 * The environment for a Python subprocess: the allow-list of the host's variables, Python kept to itself
 * (`PYTHONHOME`, `PYTHONPATH` and the user site never reach it), then `extra`.
 */
export function pythonEnvironment(
  extra: NodeJS.ProcessEnv = {},
  host: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {};
  const allowed = new Set(INHERITED);
  // `Path` and `PATH` are one variable of Windows, and of two Node takes the first by its letters.
  const given = platform === 'win32' ? Object.keys(extra).map((name) => name.toUpperCase()) : [];
  for (const [name, value] of Object.entries(host)) {
    const plain = name.toUpperCase();
    const isAllowed = allowed.has(plain) || OF_A_CUDA.test(plain);
    if (value !== undefined && isAllowed && !given.includes(plain)) environment[name] = value;
  }
  return {
    ...environment,
    PYTHONNOUSERSITE: '1',
    PYTHONUNBUFFERED: '1',
    PYTHONIOENCODING: 'utf-8',
    // File names and text are UTF-8, as the host writes them, whatever the locale (GBK, ISO-8859-1).
    PYTHONUTF8: '1',
    ...extra,
  };
}
