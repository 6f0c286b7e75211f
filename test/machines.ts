/**
 * Deploys and runs one package on each machine of the list in `machines.md`: `npm run test:machines [-- part of a title …]`.
 * Needs Linux and root, and the build in `dist/`. Each machine is made of namespaces, mounts, users and limits around one
 * process, test/support/machine-host.mjs, which goes from the zip to a verdict with both workers.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildPackage } from '../src/testing/index.js';

interface Machine {
  /** As in machines.md. */
  title: string;
  /** Shell, before the host is started with `$RUN`; `$BOX` is the machine's folder, `$STORE` that of the store. */
  prepare?: string;
  /** In place of `$RUN`. */
  run?: string;
  options?: Record<string, unknown>;
  /** What each answer must be, when it is not a verdict. */
  expect?: Record<string, RegExp>;
  /** Why it cannot be made here. */
  skipped?: string;
}

const own = path.dirname(fileURLToPath(import.meta.url));
const support = path.join(own, 'support');
const dist = path.join(own, '../dist');
const SYSTEM_PYTHON = '/usr/bin/python3';
const STRANGER = 'setpriv --reuid 54321 --regid 54321 --clear-groups';
const GOOD: Record<string, RegExp> = { install: /^deployed$/, sdk: /^OK OK$/, bundled: /^OK OK$/ };

const localeOf = (title: string, charmap: string, source: string, name: string): Machine => ({
  title,
  prepare:
    `mkdir -p "$BOX/locale"; localedef -c -f ${charmap} -i ${source} "$BOX/locale/${name}" >/dev/null 2>&1; ` +
    `mount --bind "$BOX/locale" /usr/lib/locale; export LC_ALL=${name} LANG=${name}`,
});
const temp = (title: string, prepare: string): Machine => ({ title, prepare });
/** Cgroups of the first version have a tree for each resource. */
const CGROUPS = '/sys/fs/cgroup/memory';
const IS_FIRST = existsSync(CGROUPS);
const CGROUP = `${IS_FIRST ? CGROUPS : path.dirname(CGROUPS)}/procvision-${process.pid}`;
const CGROUP_BOUND = IS_FIRST ? 'memory.limit_in_bytes' : 'memory.max';

/** Another release than the system's Python, of the same minor version; and one of the next. */
const OTHER_PYTHON = pyenv('3.11');
const NEXT_PYTHON = pyenv('3.12');
const NO_OTHER = 'pyenv has no other release of that version here';

/** The interpreter of a base is replaced where it lies, as a package manager does. */
function upgraded(title: string, by: string | undefined, expect: Record<string, RegExp>): Machine {
  return {
    ...{ title, expect, skipped: by === undefined ? NO_OTHER : undefined },
    options: { python: '$BOX/py/bin/python3', verify: true, install: false },
    prepare: `mkdir -p "$BOX/py/bin"; cp -L /usr/bin/python3.11 "$BOX/py/bin/python3"; $INSTALL >/dev/null; cp -L ${by} "$BOX/py/bin/python3"`,
  };
}

/** A clock of its own for each process of the machine, by a library that the loader puts before all others. */
function clock(title: string, day: string): Machine {
  const days = Math.round((Date.parse(day) - Date.now()) / 86_400_000);
  const library = clockLibrary();
  return {
    title,
    prepare:
      'mkdir "$BOX/etc" "$BOX/work"; mount -t overlay overlay -o "lowerdir=/etc,upperdir=$BOX/etc,workdir=$BOX/work" /etc; ' +
      `echo "${days > 0 ? '+' : ''}${days}d" > /etc/faketimerc; echo ${library} > /etc/ld.so.preload; ` +
      `test "$(date +%Y)" = ${day.slice(0, 4)}`,
    skipped: library === undefined ? 'libfaketime can not be had from the package archive' : undefined,
  };
}

/** libfaketime, unpacked beside the other things that tests download; undefined where there is no package archive. */
function clockLibrary(): string | undefined {
  const folder = path.join(process.env.PROCVISION_TEST_CACHE ?? os.tmpdir(), 'procvision-test-libfaketime');
  const find = () => globSync('usr/lib/*/faketime/libfaketime.so.1', folder);
  if (find() === undefined) {
    mkdirSync(folder, { recursive: true });
    const get = 'apt-get -qq download libfaketime && dpkg -x libfaketime_*.deb .';
    spawnSync('sh', ['-c', get], { cwd: folder, stdio: 'ignore', timeout: 60_000 });
  }
  return find();
}

/** The first file below `folder` that fits a pattern with one `*`. */
function globSync(pattern: string, folder: string): string | undefined {
  const { stdout } = spawnSync('sh', ['-c', `ls -d ${pattern} 2>/dev/null`], {
    cwd: folder,
    encoding: 'utf8',
  });
  const [file] = stdout.split('\n');
  return file ? path.join(folder, file) : undefined;
}

function pyenv(version: string): string | undefined {
  const { stdout } = spawnSync('sh', ['-c', `ls -d ~/.pyenv/versions/${version}.*/bin/python${version}`], {
    encoding: 'utf8',
  });
  const [file = ''] = stdout.split('\n');
  return file === '' ? undefined : file;
}

function hasFileSystem(name: string): boolean {
  return readFileSync('/proc/filesystems', 'utf8').includes(`\t${name}\n`);
}

function canMakeCgroups(): boolean {
  const look = `mkdir ${CGROUP} && test -w ${CGROUP}/${CGROUP_BOUND}; code=$?; rmdir ${CGROUP} 2>/dev/null; exit $code`;
  return spawnSync('sh', ['-c', look], { stdio: 'ignore' }).status === 0;
}

const asStranger = 'chown -R 54321:54321 "$BOX"';

const MACHINES: Machine[] = [
  { title: 'locale C', prepare: 'export LC_ALL=C LANG=C' },
  localeOf('locale zh_CN.GBK', 'GBK', 'zh_CN', 'zh_CN.GBK'),
  localeOf('locale zh_CN.GB18030', 'GB18030', 'zh_CN', 'zh_CN.GB18030'),
  localeOf('locale de_DE.ISO-8859-1', 'ISO-8859-1', 'de_DE', 'de_DE.ISO-8859-1'),
  localeOf('locale tr_TR.ISO-8859-9', 'ISO-8859-9', 'tr_TR', 'tr_TR.ISO-8859-9'),
  { title: 'umask 000', prepare: 'umask 000' },
  { title: 'umask 027', prepare: 'umask 027' },
  { title: 'umask 077', prepare: 'umask 077' },
  {
    title: 'umask 077, workers as another user',
    prepare: 'umask 077',
    options: { policy: { uid: 54321, gid: 54321 } },
  },
  { title: 'a user without account', prepare: asStranger, run: `${STRANGER} $RUN` },
  {
    title: 'a user without account, HOME and USER',
    prepare: asStranger,
    run: `${STRANGER} env -u HOME -u USER -u LOGNAME $RUN`,
  },
  {
    title: 'read-only root, temp folder in memory',
    prepare:
      'mkdir "$STORE"; mount -t tmpfs tmpfs "$STORE"; mount -t tmpfs tmpfs /tmp -o mode=1777; mount -o remount,ro,bind /',
  },
  {
    title: 'read-only root, no place for temporary files',
    prepare: 'mkdir "$STORE"; mount -t tmpfs tmpfs "$STORE"; mount -o remount,ro,bind /',
  },
  temp('temp folder missing', 'export TMPDIR=/nowhere/tmp'),
  temp('temp folder read-only', 'mount -t tmpfs -o ro tmpfs /tmp'),
  temp(
    'temp folder full',
    'mount -t tmpfs -o size=1m tmpfs /tmp; head -c 2m /dev/zero > /tmp/filler 2>/dev/null || true',
  ),
  temp('temp folder noexec', 'mount -t tmpfs -o noexec tmpfs /tmp'),
  temp('temp folder of 1 MB', 'mount -t tmpfs -o size=1m tmpfs /tmp'),
  {
    title: 'hidepid=2, no root',
    prepare: `${asStranger}; mount -t proc -o hidepid=2 proc /proc`,
    run: `${STRANGER} $RUN`,
  },
  { title: 'no /proc', prepare: 'umount -l /proc' },
  { title: 'old seccomp, root', run: `${SYSTEM_PYTHON} ${support}/old_seccomp.py $RUN` },
  {
    title: 'old seccomp, no root',
    prepare: asStranger,
    run: `${STRANGER} ${SYSTEM_PYTHON} ${support}/old_seccomp.py $RUN`,
  },
  { title: '160 open files', prepare: 'ulimit -n 160' },
  { title: 'the host is process 1', run: 'unshare --pid --fork --mount-proc $RUN' },
  { title: '/dev/shm of 64 MB', prepare: 'mount -t tmpfs -o size=64m tmpfs /dev/shm' },
  {
    title: '/dev/shm read-only',
    prepare: 'mount -t tmpfs -o ro tmpfs /dev/shm',
    expect: { ...GOOD, frames: /^in the store$/ },
  },
  {
    title: '/dev/shm missing',
    expect: { ...GOOD, frames: /^in the store$/ },
    prepare:
      'mount -t tmpfs -o mode=755 tmpfs /dev; for f in null zero random urandom; do touch /dev/$f; done; mknod -m 666 /dev/null2 c 1 3; rm /dev/null; mv /dev/null2 /dev/null; rm /dev/urandom /dev/random /dev/zero; mknod -m 666 /dev/urandom c 1 9; mknod -m 666 /dev/random c 1 8; mknod -m 666 /dev/zero c 1 5; ln -s /proc/self/fd /dev/fd',
  },
  { title: 'no network', run: 'unshare -n $RUN' },
  {
    title: 'root without capabilities',
    run: 'setpriv --bounding-set -all --inh-caps -all --no-new-privs $RUN',
  },
  { title: 'root of a user namespace with one user', run: 'unshare --user --map-root-user $RUN' },
  { title: 'in a chroot', prepare: 'mkdir "$BOX/r"; mount --rbind / "$BOX/r"', run: 'chroot "$BOX/r" $RUN' },
  {
    title: 'stdin and stderr closed, signals ignored',
    prepare: "trap '' HUP INT PIPE TERM CHLD",
    run: '$RUN <&- 2>&-',
  },
  {
    title: 'no PATH, HOME that is no folder, PYTHON variables of another program',
    run:
      'env -u PATH HOME=/dev/null PYTHONHOME=/nowhere PYTHONPATH=/dev/null PYTHONSTARTUP=/nowhere PYTHONWARNINGS=error ' +
      'PYTHONOPTIMIZE=2 PYTHONUTF8=0 PYTHONIOENCODING=ascii PYTHONINSPECT=1 PYTHONSAFEPATH=1 $RUN',
  },
  { title: 'a locale that is not installed', prepare: 'export LC_ALL=xx_YY.KOI8-R LANG=xx TZ=:/nowhere' },
  { title: 'a library to be preloaded that is not there', prepare: 'export LD_PRELOAD=/nowhere/lib.so' },
  {
    title: 'bounds on threads, stack, locked memory and the size of a file',
    prepare: `${asStranger}; ulimit -s 512; ulimit -l 0; ulimit -f 40000; ulimit -c 0; ulimit -p 60`,
    run: `${STRANGER} $RUN`,
  },
  {
    title: 'temp folder without inodes',
    prepare: 'mount -t tmpfs -o nr_inodes=1 tmpfs /tmp; export TMPDIR=/tmp',
  },
  { title: '/proc of processes alone', prepare: 'mount -t proc -o subset=pid proc /proc' },
  {
    title: 'store noexec, nosuid and nodev',
    prepare: 'mkdir "$STORE"; mount -t tmpfs -o noexec,nosuid,nodev tmpfs "$STORE"',
  },
  {
    title: 'store read-only after the install',
    options: { verify: true, install: false },
    prepare: '$INSTALL >/dev/null; mount --bind "$STORE" "$STORE"; mount -o remount,ro,bind "$STORE"',
    expect: { verify: /^intact$/, sdk: /^OK OK$/, bundled: /^OK OK$/ },
  },
  {
    title: 'each part of the store on a disk of its own',
    prepare:
      'for part in deployed zips .archive .wheels .staging; do mkdir -p "$STORE/algorithms/$part"; mount -t tmpfs tmpfs "$STORE/algorithms/$part"; done',
  },
  {
    title: 'store behind a link, its folder setgid',
    prepare: 'mkdir "$BOX/real"; chmod 2770 "$BOX/real"; ln -s real "$STORE"',
  },
  {
    title: '/dev/shm missing, a path of 200 characters, workers as another user, umask 077',
    prepare: `umask 077; umount -l /dev/shm; rmdir /dev/shm 2>/dev/null || mount -t tmpfs -o ro tmpfs /dev/shm; STORE="$STORE/${'a'.repeat(90)}/${'b'.repeat(90)}"`,
    options: { policy: { uid: 54321, gid: 54321 } },
    expect: { ...GOOD, frames: /^in the store$/ },
  },
  {
    title: 'store on overlayfs, force over a version of the image',
    prepare:
      '$RUN >/dev/null; mkdir -p "$BOX/o"; mount -t tmpfs tmpfs "$BOX/o"; mkdir "$BOX/o/up" "$BOX/o/work"; ' +
      'mount -t overlay overlay -o "lowerdir=$STORE,upperdir=$BOX/o/up,workdir=$BOX/o/work" "$STORE"',
    options: { force: true },
  },
  { title: 'store on tmpfs', prepare: 'mkdir -p "$STORE"; mount -t tmpfs tmpfs "$STORE"' },
  {
    title: 'store on vfat',
    prepare:
      'truncate -s 200M "$BOX/disk"; mkfs.vfat "$BOX/disk" >/dev/null; mkdir "$STORE"; mount -o loop "$BOX/disk" "$STORE"',
    skipped: hasFileSystem('vfat') ? undefined : 'the kernel has no vfat',
  },
  {
    title: 'a cgroup of 300 MB',
    prepare: `mkdir ${CGROUP}; echo 300M > ${CGROUP}/${CGROUP_BOUND}; echo $$ > ${CGROUP}/cgroup.procs`,
    skipped: canMakeCgroups() ? undefined : 'no cgroup with a bound on memory can be made here',
  },
  {
    title: 'store in a path of 200 characters',
    prepare: `STORE="$STORE/${'a'.repeat(90)}/${'b'.repeat(90)}"`,
  },
  { title: 'store in a path with a space, a quote and Chinese', prepare: `STORE="$STORE/a 'quoted' 检测站"` },
  {
    title: 'Python of pyenv',
    options: { python: OTHER_PYTHON ?? '' },
    skipped: OTHER_PYTHON ? undefined : NO_OTHER,
  },
  { title: 'Python of Debian', options: { python: SYSTEM_PYTHON } },
  {
    title: 'Python of Debian without pip and ensurepip',
    options: { python: SYSTEM_PYTHON },
    prepare:
      'mkdir "$BOX/e"; for f in /usr/lib/python3.11/ensurepip /usr/lib/python3/dist-packages; do [ -d $f ] && mount --bind "$BOX/e" $f; done',
  },
  {
    title: 'Python of Debian with half a pip',
    options: { python: SYSTEM_PYTHON },
    prepare:
      'mkdir -p "$BOX/p/pip"; touch "$BOX/p/pip/__init__.py"; mount --bind "$BOX/p" /usr/lib/python3/dist-packages',
  },
  {
    title: 'Python with a sitecustomize that prints',
    options: { python: SYSTEM_PYTHON },
    prepare:
      'mkdir "$BOX/s"; echo "print(\'hello\')" > "$BOX/s/sitecustomize.py"; mount --bind "$BOX/s" /usr/lib/python3/dist-packages',
  },
  {
    title: 'Python that this user may not read',
    prepare: `${asStranger}; cp /usr/bin/python3.11 "$BOX/python3"; chown root "$BOX/python3"; chmod 700 "$BOX/python3"`,
    run: `${STRANGER} $RUN`,
    options: { python: '$BOX/python3' },
    expect: { install: /may not|permission|EACCES/i, sdk: /./, bundled: /./ },
  },
  {
    title: 'base Python removed after the install',
    options: { python: '$BOX/py/bin/python3', verify: true, install: false },
    prepare:
      'mkdir -p "$BOX/py/bin"; cp -L /usr/bin/python3.11 "$BOX/py/bin/python3"; $INSTALL >/dev/null; rm -r "$BOX/py"',
    expect: { verify: /drift/, sdk: /Python|interpreter/i, bundled: /Python|interpreter/i },
  },
  upgraded('base Python upgraded to another release after the install', OTHER_PYTHON, {
    ...{ verify: /^intact$/, sdk: /^OK OK$/, bundled: /^OK OK$/ },
  }),
  upgraded('base Python upgraded to another minor version after the install', NEXT_PYTHON, {
    ...{ verify: /drift/, sdk: /Python|interpreter/i, bundled: /Python|interpreter/i },
  }),
  clock('clock at 1970', '1970-01-03'),
  clock('clock at 2040', '2040-02-29'),
];

const wanted = process.argv.slice(2);
const listed = readFileSync(path.join(own, 'machines.md'), 'utf8');
for (const { title } of MACHINES)
  if (!listed.includes(`| ${title} |`)) throw new Error(`machines.md has no ${title}`);
if (process.platform !== 'linux' || process.getuid?.() !== 0)
  throw new Error('machines are made on Linux, by root');

const folder = mkdtempSync('/var/tmp/pv-machines-');
chmodSync(folder, 0o755);
const zip = path.join(folder, 'package.zip');
writeFileSync(zip, await buildPackage(), { mode: 0o644 });
let failures = 0;
try {
  MACHINES.forEach((machine, index) => {
    const { title, skipped, expect = GOOD } = machine;
    if (wanted.length > 0 && !wanted.some((part) => title.includes(part))) return;
    if (skipped !== undefined) {
      say(`skipped  ${title}: ${skipped}`);
      return;
    }
    const startedAt = performance.now();
    const answers = tryOn(machine, path.join(folder, String(index)));
    const wrong = Object.entries(expect).filter(([what, pattern]) => !pattern.test(answers[what] ?? ''));
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    say(`${wrong.length === 0 ? 'right   ' : 'FAULT   '} ${title} (${seconds} s)`);
    for (const [what] of wrong)
      say(`         ${what}: ${(answers[what] ?? answers.said ?? '').slice(0, 1200)}`);
    if (wrong.length > 0) failures += 1;
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
  if (existsSync(CGROUP)) rmdirSync(CGROUP);
}
process.exitCode = failures > 0 ? 1 : 0;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function tryOn({ prepare = '', run = '$RUN', options = {} }: Machine, box: string): Record<string, string> {
  mkdirSync(box);
  const text = (more: object) =>
    JSON.stringify({ python: SYSTEM_PYTHON, ...options, ...more }).replaceAll('$BOX', box);
  const call = (more: object) =>
    `${process.execPath} ${support}/machine-host.mjs ${dist} "$STORE" "$ZIP" '${text(more)}'`;
  const script = [
    'set -e',
    `BOX=${box} STORE=${box}/store ZIP=${zip}`,
    prepare.replaceAll('$RUN', call({})).replaceAll('$INSTALL', call({ install: true })),
    'set +e',
    run.replaceAll('$RUN', call({})),
  ].join('\n');
  const { stdout, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', script], {
    encoding: 'utf8',
    timeout: 300_000,
  });
  try {
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, string>;
  } catch {
    return { said: `${stdout}\n${stderr}` };
  }
}
