import { kind } from './kind.js';

/** Of the machine: its Pythons, memory, limits, clock, optional packages. */
export const MACHINE_KINDS = {
  'node.old': kind('error', 'Node is older than this library needs', 'Install Node 20.4 or later'),
  'assets.missing': kind(
    'error',
    'The Python files of this library are not there',
    'Ship the folder dist of procvision-runner with the bundle, and name it in the variable PROCVISION_ASSETS',
  ),
  'python.none': kind(
    'error',
    'No Python that can be used was found',
    'Install Python 3.8 or later (apt install python3 python3-venv, dnf install python3), or name one in the option python',
  ),
  'python.unusable': kind(
    'warning',
    'A Python was found that cannot be used',
    'Mend or remove that Python, or name others in the option python',
  ),
  'python.no-venv': kind(
    'warning',
    'A Python has no module venv: no environment can be made with it',
    'Install the package of the system that has it: apt install python3-venv',
  ),
  'shm.missing': kind(
    'warning',
    'There is no /dev/shm: frames are files in the store',
    'Mount it: mount -t tmpfs -o size=1g,nosuid,nodev,mode=1777 tmpfs /dev/shm (in a container: --shm-size=1g)',
  ),
  'shm.unwritable': kind(
    'warning',
    'The folder of frames cannot be written to by this user',
    'Have root set its usual mode, which lets every user make files of his own there: chmod 1777 /dev/shm',
  ),
  'shm.full': kind(
    'error',
    'The folder of frames has no room',
    'Remove what fills it (du -sh /dev/shm/*), or give it more: mount -o remount,size=2g /dev/shm, --shm-size=2g',
  ),
  'shm.small': kind(
    'warning',
    'The folder of frames is small: a container has 64 MB of it unless it gets more',
    'Give it more (--shm-size=1g, or mount -o remount,size=1g /dev/shm), or install koffi, with which frames need none of it',
  ),
  'temp.unusable': kind(
    'error',
    'No temporary folder can be made',
    'Have the temp dir made, writable and not full, or name another one in TMPDIR',
  ),
  'temp.left': kind(
    'note',
    'Temporary folders of this library are left of processes that were killed',
    'Remove them, or run doctor --fix',
    'removes folders of this user that are older than a day',
  ),
  'namespaces.missing': kind(
    'warning',
    'Workers get no namespaces: what they start may outlive them, and the store is not read-only to them',
    'Run the host as root, or allow user namespaces to its user',
  ),
  'proc.missing': kind(
    'warning',
    '/proc is not there or hides processes: leftover processes cannot be found',
    'Mount it: mount -t proc proc /proc',
  ),
  'limits.open-files': kind(
    'warning',
    'This process may open few files',
    'Raise the limit: LimitNOFILE=65536 in the unit, ulimit -n 65536 in the shell, --ulimit nofile=65536 for a container',
  ),
  'limits.processes': kind(
    'warning',
    'Few more processes or threads can be started',
    'Raise the limit: LimitNPROC= and TasksMax= in the unit, ulimit -u in the shell, --pids-limit for a container',
  ),
  'limits.file-size': kind(
    'error',
    'Files may have few bytes only: wheels and models cannot be unpacked',
    'Lift the limit: LimitFSIZE=infinity in the unit, ulimit -f unlimited in the shell',
  ),
  'limits.address-space': kind(
    'warning',
    'The address space of processes is bounded: libraries for GPUs reserve more than they use',
    'Lift the limit: LimitAS=infinity in the unit, ulimit -v unlimited; bound memory by MemoryMax= in its place',
  ),
  'limits.nice': kind(
    'note',
    'Workers that start take time from those that work: this user may not raise a priority again',
    'Add LimitNICE=+0 to the unit',
  ),
  'memory.low': kind(
    'warning',
    'Little memory is left',
    'Give the machine or the container more, or run fewer workers',
  ),
  'clock.unset': kind(
    'error',
    'The clock of the machine is not set',
    'Set it (timedatectl set-time), and keep it by NTP: timedatectl set-ntp true',
  ),
  'clock.behind': kind(
    'warning',
    'The clock is behind the times that the store has recorded',
    'Set the clock, and keep it by NTP: timedatectl set-ntp true',
  ),
  'clock.share': kind(
    'warning',
    'The clock of the file system of the store differs from that of this machine',
    'Set both by NTP: the times of files come from the server of the share',
  ),
  'koffi.missing': kind(
    'note',
    'The optional package koffi is not installed: frames are written to files before each call',
    'Install it beside this library: npm install koffi',
  ),
  'koffi.broken': kind(
    'warning',
    'The optional package koffi is installed and cannot be used',
    'Install it again for this Node and system: npm install koffi',
  ),
  'sharp.missing': kind(
    'note',
    'The optional package sharp is not installed: TIFF and WebP are refused, and JPEG takes longer',
    'Install it beside this library: npm install sharp',
  ),
  'sharp.broken': kind(
    'warning',
    'The optional package sharp is installed and cannot be loaded',
    'Install it again for this Node and system: npm install sharp',
  ),
};
