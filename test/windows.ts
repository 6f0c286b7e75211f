/**
 * Runs the built library on a Windows under Wine: `npm run test:windows [-- NODE_VERSION …]`, by default Node 20 and 22.
 * Needs the build in `dist/`, Wine, a cross compiler, and the machine that may lie beside a checkout
 * (`../shared/windows`); skipped with its reason where one of them is absent. Each Node gets a fresh Windows with the
 * package as it is published and a Windows Python, and goes through the main path and through the checks of
 * `test/windows/`; the last one then with a CPython of python.org and NumPy, where the package index has them. The exit
 * code is 1 when one failed.
 *
 * A Windows is the better one: there `node test/windows/checks.mjs dist` runs the same checks.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import manifest from '../package.json' with { type: 'json' };
import { sharedFile } from './support/shared-material.js';

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const repository = fileURLToPath(new URL('../', import.meta.url));
const NODES = ['20.20.2', '22.23.3'];
const SETUP_MS = 180_000;
const RUN_MS = 420_000;

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

interface Step {
  name: string;
  isOk: boolean;
  seconds: number;
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

/** Whether the wheels could be had. */
function download(folder: string): boolean {
  const args = ['-m', 'pip', 'download', '-q', ...FOR_WINDOWS, '-d', folder, ...WHEELS];
  return spawnSync('python3', args, { stdio: 'ignore', timeout: SETUP_MS }).status === 0;
}

/** One Windows with one Node, from nothing to gone. */
function tryOut(machine: string, node: string, withNumpy: boolean): Step[] {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'pv-wine-'));
  const steps: Step[] = [];
  const run = (name: string, args: string[], limitMs: number): boolean => {
    const startedAt = performance.now();
    const env = { ...process.env, T: String(limitMs / 1_000) };
    const { status } = spawnSync('bash', [machine, ...args], {
      env,
      stdio: 'inherit',
      timeout: limitMs + 30_000,
    });
    steps.push({ name, isOk: status === 0, seconds: (performance.now() - startedAt) / 1_000 });
    return status === 0;
  };
  try {
    if (!run('set-up', ['setup', folder, node, repository], SETUP_MS)) return steps;
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
    go(path.join(repository, 'test/windows/checks.mjs'));
    const realPython = withNumpy ? sharedFile('windows/real-python.sh') : undefined;
    if (realPython === undefined) return steps;
    const wheels = path.join(folder, 'prefix/drive_c/wheels');
    if (!download(wheels)) {
      say('skipped: the package index has no wheels of Windows');
      return steps;
    }
    const startedAt = performance.now();
    const { status } = spawnSync('bash', [realPython, folder], { stdio: 'ignore', timeout: SETUP_MS });
    const seconds = (performance.now() - startedAt) / 1_000;
    steps.push({ name: 'a CPython of python.org', isOk: status === 0, seconds });
    copyFileSync(path.join(repository, 'test/windows/numpy.mjs'), path.join(app, 'numpy.mjs'));
    run('numpy.mjs', ['node', folder, 'C:\\app\\numpy.mjs', 'C:\\app\\dist', 'C:\\wheels'], RUN_MS);
    return steps;
  } finally {
    spawnSync('bash', [machine, 'end', folder], { stdio: 'ignore', timeout: 30_000 });
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

const machine = sharedFile('windows/wine.sh');
const reason = whyNot(machine);
if (machine === undefined || reason !== undefined) {
  say(`skipped: ${reason ?? ''}`);
} else {
  const given = process.argv.slice(2);
  const lines: string[] = [];
  const nodes = given.length > 0 ? given : NODES;
  for (const node of nodes) {
    say(`\nNode ${node} on Windows`);
    for (const { name, isOk, seconds } of tryOut(machine, node, node === nodes.at(-1))) {
      lines.push(`${isOk ? 'ok  ' : 'FAIL'} Node ${node}: ${name} (${seconds.toFixed(0)} s)`);
      if (!isOk) process.exitCode = 1;
    }
  }
  say(`\n${lines.join('\n')}`);
}
