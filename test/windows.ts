/**
 * Runs the library on a Windows under Wine: `npm run test:windows [-- NODE_VERSION … --rooms all|none|NAME,…]`, by default
 * on Node 20 and 22.
 * Needs the build in `dist/`, Wine, a cross compiler, and the machine that may lie beside a checkout
 * (`../shared/windows`); skipped with its reason where one of them is absent. Each Node gets a fresh Windows with the
 * package as it is published and a Windows Python, and goes through the main path and through the checks of
 * `test/windows/`; the last one then with a CPython of python.org and NumPy, where the package index has them. Another
 * Windows with that Node gets the sources and the development packages, and runs rooms of the suite. The exit code is 1
 * when one failed.
 *
 * A Windows is the better one: there `npm test` runs the suite and `node test/windows/checks.mjs dist` the same checks.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import manifest from '../package.json' with { type: 'json' };
import { natsServerOfWindows } from './support/find-nats-server.js';
import { OUTSIDE_TESTS } from './support/outside-tests.js';
import { sharedFile } from './support/shared-material.js';

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const repository = fileURLToPath(new URL('../', import.meta.url));
const NODES = ['20.20.2', '22.23.3'];
const SETUP_MS = 180_000;
const RUN_MS = 420_000;
/** Of a room, or of a file whose tests start a hundred Pythons, on a busy machine. */
const ROOM_MS = 900_000;

/** Why there is no Windows here; undefined where there is one. */
function whyNot(machine: string | undefined): string | undefined {
  if (machine === undefined)
    return 'no Windows machine lies beside this checkout (../shared/windows/wine.sh)';
  for (const program of ['wine', 'wineboot', 'x86_64-w64-mingw32-gcc-posix']) {
    if (spawnSync('which', [program]).status !== 0)
      return `${program} is not installed (apt-get install wine wine64 gcc-mingw-w64-x86-64-posix)`;
  }
  return undefined;
}

const filesIn = (room: string, names: string) => names.split(' ').map((name) => `${room}/${name}`);

/** Rooms whose files have a run each: nearly each of their tests starts a Python, and all together take an hour. */
const BY_FILE = ['supervisor', 'validation', 'python', 'http'];

function eachFileIn(room: string): string[] {
  const files = readdirSync(path.join(repository, 'test', room)).filter((name) => name.endsWith('.test.ts'));
  return files
    .filter((name) => !OUTSIDE_TESTS.includes(`test/${room}/${name}`))
    .map((name) => `${room}/${name.slice(0, -'.test.ts'.length)}`);
}

/** Files of these rooms that were not seen to their end there. */
const NOT_SEEN = filesIn('http', 'soak upload-soak');

/** Rooms of the suite, or files of a room, that pass under Wine: those where Windows is most different run each time, the others with `--rooms all`. */
const ROOMS = ['store', 'frames', 'registry'];
const FURTHER_ROOMS = [
  ...['process', 'package', 'worker', 'telemetry', 'outbox', 'parameters', 'signing'],
  ...['ground', 'acceptance'],
  ...filesIn('deploy', 'archives dry-run eight-hosts failure install prune rebuild side-by-side'),
  ...filesIn('deploy', 'seal-windows verify whose-fault'),
  ...filesIn('testing', 'builders conformance fake-worker file-steps puppet temporary-store virtual-clock'),
  ...filesIn('runner', 'doctor ensure-installed explain runner'),
  ...filesIn('cli', 'command-names kept-files mistakes outbox project repl serve settings signals station'),
  'cli/switch-through',
  ...filesIn('fleet', 'agent inspections keys server simulator state'),
  ...filesIn('fleet/bytes', 'content-manifest fetch-killed hostile-sources large-package package-fetcher'),
  ...filesIn('fleet/controller', 'controller decide gates killed late-answers lease order real-server'),
  ...filesIn('fleet/nats', 'connection permissions tls'),
  'cli/fleet',
  ...BY_FILE.flatMap(eachFileIn).filter((file) => !NOT_SEEN.includes(file)),
];

/** Rooms with tests that start a server of NATS. */
const NEED_A_SERVER = ['fleet', 'cli', 'outbox'];

/** Of the repository, what a Windows gets by itself, or what is made. */
const NO_SOURCES = new Set(['node_modules', 'dist', '.git', 'build', 'coverage']);

interface Step {
  name: string;
  isOk: boolean;
  seconds: number;
  /** Of a step that failed: the end of what it printed, and before that its lines that tell of a failure. */
  told?: string;
}

/** Of what a step printed, what tells why it failed: a log is often cut to its end, which would be the table alone. */
function reasonOf(printed: string): string {
  const lines = printed.trimEnd().split('\n');
  const start = lines.findIndex((line) => /Failed (Tests|Suites)|Unhandled Errors/.test(line));
  const summary = start === -1 ? lines.filter((line) => /FAIL|not ok|Error:/.test(line)) : lines.slice(start);
  return [...summary.slice(0, 40), '…', ...lines.slice(-6)].join('\n');
}

/** Wheels of Windows, pinned. */
const WHEELS = ['numpy==2.4.6', 'procvision-algorithm-sdk==0.3.2'];
const FOR_WINDOWS = [
  '--platform',
  'win_amd64',
  '--python-version',
  '3.11',
  '--only-binary',
  ':all:',
  '--no-deps',
];

const KOFFI = manifest.devDependencies.koffi;

/** Puts koffi for Windows beside the library, which has gone through the main path without it. */
function addKoffi(modules: string): boolean {
  return ['koffi', '@koromix/koffi-win32-x64'].every((name) => {
    const folder = path.join(modules, name);
    mkdirSync(folder, { recursive: true });
    const packed = spawnSync('npm', ['pack', '--silent', `${name}@${KOFFI}`], {
      cwd: folder,
      encoding: 'utf8',
    });
    const file = packed.stdout.trim();
    return (
      packed.status === 0 && spawnSync('tar', ['xzf', file, '--strip', '1'], { cwd: folder }).status === 0
    );
  });
}

/** Puts a package of this checkout with what it needs beside the library: one whose binaries of all systems are in it. */
function addPackage(modules: string, name: string): void {
  const [from, to] = [path.join(repository, 'node_modules', name), path.join(modules, name)];
  if (existsSync(to) || !existsSync(from)) return;
  cpSync(from, to, { recursive: true });
  const { dependencies = {} } = JSON.parse(readFileSync(path.join(from, 'package.json'), 'utf8')) as {
    dependencies?: Record<string, string>;
  };
  for (const needed of Object.keys(dependencies)) addPackage(modules, needed);
}

/** Whether the wheels could be had. */
function download(folder: string): boolean {
  const args = ['-m', 'pip', 'download', '-q', ...FOR_WINDOWS, '-d', folder, ...WHEELS];
  return spawnSync('python3', args, { stdio: 'ignore', timeout: SETUP_MS }).status === 0;
}

type Run = (name: string, args: string[], limitMs: number, more?: Record<string, string>) => boolean;

/** One Windows, from nothing to gone. */
function inWindows(machine: string, work: (folder: string, run: Run, steps: Step[]) => void): Step[] {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'pv-wine-'));
  const steps: Step[] = [];
  const run: Run = (name, args, limitMs, more) => {
    const startedAt = performance.now();
    const env = { ...process.env, T: String(limitMs / 1_000), ...more };
    const { status, stdout, stderr } = spawnSync('bash', [machine, ...args], {
      ...{ env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
      ...{ timeout: limitMs + 30_000, maxBuffer: 2 ** 28 },
    });
    const printed = `${stdout}${stderr}`;
    process.stdout.write(printed);
    const isOk = status === 0;
    const seconds = (performance.now() - startedAt) / 1_000;
    steps.push({ name, isOk, seconds, ...(!isOk && { told: reasonOf(printed) }) });
    return isOk;
  };
  try {
    work(folder, run, steps);
    return steps;
  } finally {
    spawnSync('bash', [machine, 'end', folder], { stdio: 'ignore', timeout: 30_000 });
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** The main path and the checks with one Node. */
function tryOut(machine: string, node: string, withNumpy: boolean): Step[] {
  return inWindows(machine, (folder, run, steps) => {
    if (!run('set-up', ['setup', folder, node, repository], SETUP_MS)) return;
    const app = path.join(folder, 'prefix/drive_c/app');
    mkdirSync(path.join(folder, 'drive_d'));
    symlinkSync('../../drive_d', path.join(folder, 'prefix/dosdevices/d:'));
    const go = (script: string) => {
      const name = path.basename(script);
      copyFileSync(script, path.join(app, name));
      run(name, ['node', folder, `C:\\app\\${name}`, 'C:\\app\\dist'], RUN_MS);
    };
    const smoke = sharedFile('windows/smoke.mjs');
    if (smoke !== undefined) go(smoke);
    if (!addKoffi(path.join(app, 'node_modules')))
      say('koffi for Windows cannot be had: what needs it is skipped');
    addPackage(path.join(app, 'node_modules'), 'classic-level');
    go(path.join(repository, 'test/windows/checks.mjs'));
    const realPython = withNumpy ? sharedFile('windows/real-python.sh') : undefined;
    if (realPython === undefined) return;
    const wheels = path.join(folder, 'prefix/drive_c/wheels');
    if (!download(wheels)) {
      say('skipped: the package index has no wheels of Windows');
      return;
    }
    const startedAt = performance.now();
    const { status } = spawnSync('bash', [realPython, folder], { stdio: 'ignore', timeout: SETUP_MS });
    const seconds = (performance.now() - startedAt) / 1_000;
    steps.push({ name: 'a CPython of python.org', isOk: status === 0, seconds });
    copyFileSync(path.join(repository, 'test/windows/numpy.mjs'), path.join(app, 'numpy.mjs'));
    run('numpy.mjs', ['node', folder, 'C:\\app\\numpy.mjs', 'C:\\app\\dist', 'C:\\wheels'], RUN_MS);
  });
}

/** The suite's own tests, a room at a time. `natsServer`: a server for the tests of the fleet, which are skipped without. */
function tryRooms(
  machine: string,
  node: string,
  rooms: readonly string[],
  natsServer: string | undefined,
): Step[] {
  return inWindows(machine, (folder, run) => {
    if (!run('set-up for the suite', ['setup', folder, node, repository], SETUP_MS, { OMIT: '' })) return;
    const app = path.join(folder, 'prefix/drive_c/app');
    for (const name of readdirSync(repository).filter((each) => !NO_SOURCES.has(each)))
      cpSync(path.join(repository, name), path.join(app, name), { recursive: true });
    if (natsServer !== undefined)
      copyFileSync(natsServer, path.join(folder, 'prefix/drive_c/node', path.basename(natsServer)));
    const variable = ['HKCU\\Environment', '/v', 'PROCVISION_TEST_WINE', '/t', 'REG_SZ', '/d', '1', '/f'];
    if (!run('say that it is Wine', ['run', folder, 'wine', 'reg', 'add', ...variable], RUN_MS)) return;
    const vitest = 'C:\\app\\node_modules\\vitest\\vitest.mjs';
    for (const room of rooms) {
      const isFolder = existsSync(path.join(repository, 'test', room));
      const filter = isFolder ? `test/${room}/` : `test/${room}.`;
      run(`test/${room}`, ['node', folder, vitest, 'run', filter, '--maxWorkers=2'], ROOM_MS);
    }
  });
}

/** Which rooms are asked for, and what else was given. */
function askedFor(given: readonly string[]): { rooms: readonly string[]; nodes: readonly string[] } {
  const at = given.indexOf('--rooms');
  const wanted = at === -1 ? 'usual' : (given[at + 1] ?? 'all');
  const nodes = given.filter((_, index) => at === -1 || (index !== at && index !== at + 1));
  const known: Record<string, readonly string[]> = {
    ...{ usual: ROOMS, all: [...ROOMS, ...FURTHER_ROOMS], none: [] },
  };
  const named = () => wanted.split(',').flatMap((room) => (BY_FILE.includes(room) ? eachFileIn(room) : room));
  return { rooms: known[wanted] ?? named(), nodes: nodes.length > 0 ? nodes : NODES };
}

const machine = sharedFile('windows/wine.sh');
const reason = whyNot(machine);
if (machine === undefined || reason !== undefined) {
  say(`skipped: ${reason ?? ''}`);
} else {
  const { rooms, nodes } = askedFor(process.argv.slice(2));
  const lines: string[] = [];
  const reasons: string[] = [];
  const note = (node: string, steps: readonly Step[]) => {
    for (const { name, isOk, seconds, told } of steps) {
      if (told !== undefined) reasons.push(`\n-- Node ${node}: ${name}\n${told}`);
      lines.push(`${isOk ? 'ok  ' : 'FAIL'} Node ${node}: ${name} (${seconds.toFixed(0)} s)`);
      if (!isOk) process.exitCode = 1;
    }
  };
  for (const node of nodes) {
    say(`\nNode ${node} on Windows`);
    note(node, tryOut(machine, node, node === nodes.at(-1)));
  }
  const last = nodes.at(-1);
  if (last !== undefined && rooms.length > 0) {
    say(`\nThe suite with Node ${last} on Windows`);
    const needsServer = rooms.some((room) => NEED_A_SERVER.some((start) => room.startsWith(start)));
    note(last, tryRooms(machine, last, rooms, needsServer ? await natsServerOfWindows() : undefined));
  }
  say(`\n${lines.join('\n')}\n${reasons.join('\n')}`);
}
