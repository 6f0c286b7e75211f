/**
 * `npm run test:arm64`: Debian's Python for 64-bit ARM under QEMU's user emulation, from a zip with arm64 wheels to a verdict by
 * both workers. Needs Linux on another processor and Debian's package archive: the emulator and the Python are unpacked into a
 * folder, nothing is installed. Where they cannot be had, it says so and ends well.
 *
 * They are kept in the temp dir, or in PROCVISION_TEST_CACHE, for the next run.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { VenvManager } from '../src/index.js';
import { buildPackage } from '../src/testing/index.js';

const PYTHON = 'python3.11';
const NUMPY = 'numpy==2.2.6';
const DOWNLOAD_MS = 300_000;
/** An emulated process takes about ten times as long. */
const RUN_MS = 580_000;

const cache = path.join(process.env.PROCVISION_TEST_CACHE ?? os.tmpdir(), 'procvision-test-arm64');
const own = path.dirname(fileURLToPath(import.meta.url));
const tell = (line: string) => process.stdout.write(`${line}\n`);

/** What cannot be had here; the message is the reason. */
class Skipped extends Error {}

/** apt with lists, packages and status of its own: the machine's own stay as they are. */
function apt(folder: string, architecture: string, args: readonly string[], cwd = folder): void {
  for (const name of ['lists/partial', 'archives/partial', 'sources'])
    mkdirSync(path.join(folder, name), { recursive: true });
  writeFileSync(path.join(folder, 'status'), '');
  debianSources(path.join(folder, 'sources'));
  const options = {
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
    'APT::Sandbox::User': 'root',
    'APT::Install-Recommends': '0',
    'Dir::State': folder,
    'Dir::State::status': path.join(folder, 'status'),
    'Dir::Cache': folder,
    'Dir::Etc::sourcelist': '/dev/null',
    'Dir::Etc::sourceparts': path.join(folder, 'sources'),
  };
  const given = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const done = spawnSync('apt-get', ['-qq', ...given, ...args], {
    cwd,
    encoding: 'utf8',
    timeout: DOWNLOAD_MS,
  });
  if (done.status === 0) return;
  const said = (done.stderr || String(done.error ?? '')).trim().split('\n').at(-1) ?? '';
  throw new Skipped(`apt-get ${args.join(' ')} for ${architecture}: ${said}`);
}

/** Where this machine gets Debian's packages from; archives of others may have none for another processor. */
function debianSources(target: string): void {
  const parts = '/etc/apt/sources.list.d';
  const files = existsSync(parts) ? readdirSync(parts).map((name) => path.join(parts, name)) : [];
  for (const file of ['/etc/apt/sources.list', ...files].filter((one) => existsSync(one))) {
    const text = readFileSync(file, 'utf8');
    const isDebian = text.includes('debian-archive-keyring') || /^deb \S+\/debian\/? /m.test(text);
    if (isDebian) writeFileSync(path.join(target, path.basename(file)), text);
  }
}

/** Unpacks packages of Debian, with all that they depend on, as if into an empty system. */
function unpackPackages(architecture: string, packages: readonly string[], root: string, all: boolean): void {
  const folder = mkdtempSync(`${cache}.apt-`);
  try {
    apt(folder, architecture, ['update']);
    const archives = path.join(folder, 'archives');
    if (all) apt(folder, architecture, ['install', '--yes', '--download-only', ...packages]);
    else apt(folder, architecture, ['download', ...packages], archives);
    mkdirSync(root, { recursive: true });
    for (const file of readdirSync(archives).filter((name) => name.endsWith('.deb')))
      execFileSync('dpkg-deb', ['-x', path.join(archives, file), root]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * A Python that runs the emulator: a script in the place of the program, beside its library. It hands on the name that it was
 * called by, so that an environment whose `bin/python` leads here is found by that.
 */
function emulatedPython(): string {
  const root = path.join(cache, 'root');
  const python = path.join(root, 'usr/bin', PYTHON);
  if (existsSync(`${python}.arm64`)) return python;
  const partial = mkdtempSync(`${cache}.`);
  try {
    unpackPackages(process.arch === 'x64' ? 'amd64' : process.arch, ['qemu-user-static'], partial, false);
    unpackPackages('arm64', [PYTHON, `${PYTHON}-venv`, 'libstdc++6'], path.join(partial, 'root'), true);
    const program = path.join(partial, 'root/usr/bin', PYTHON);
    renameSync(program, `${program}.arm64`);
    const emulator = path.join(cache, 'usr/bin/qemu-aarch64-static');
    const script = `#!/bin/sh\nexec ${emulator} -L ${root} -0 "$0" ${python}.arm64 "$@"\n`;
    writeFileSync(program, script, { mode: 0o755 });
    rmSync(cache, { recursive: true, force: true });
    renameSync(partial, cache);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return python;
}

function arm64Wheels(folder: string): { file: string; bytes: Buffer }[] {
  const wheels = path.join(cache, NUMPY.replace('==', '-'));
  if (!existsSync(wheels)) {
    const pip = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary', ':all:'];
    const target = ['--platform', 'manylinux2014_aarch64', '--python-version', '3.11', '--dest', folder];
    const done = spawnSync('python3', [...pip, ...target, NUMPY], { encoding: 'utf8', timeout: DOWNLOAD_MS });
    if (done.status !== 0) throw new Skipped(`pip cannot download ${NUMPY}: ${done.stderr.slice(-300)}`);
    renameSync(folder, wheels);
  }
  return readdirSync(wheels).map((file) => ({ file, bytes: readFileSync(path.join(wheels, file)) }));
}

const ALGORITHM = `import platform
import numpy
from procvision_algorithm_sdk import BaseAlgorithm, read_image_from_shared_memory
class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "description": "on ARM", "supported_pids": ["A01"],
                "steps": [{"index": 1, "name": "look", "params": []}]}
    def pre_execute(self, *call):
        return {"status": "OK", "message": "", "data": {"calibration_rects": []}}
    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        picture = numpy.asarray(read_image_from_shared_memory(shared_mem_id, image_meta))
        right = platform.machine() == "aarch64" and float(picture.mean()) > 0
        return {"status": "OK", "message": "", "data": {"result_status": "OK" if right else "NG", "defect_rects": []}}
`;

let passed = 0;
let failed = 0;
function hold(what: string, isRight: boolean, seen: unknown): void {
  if (isRight) passed += 1;
  else failed += 1;
  tell(`${isRight ? 'right   ' : 'FAULT   '} ${what}: ${JSON.stringify(seen)}`);
}

async function main(): Promise<void> {
  if (process.platform !== 'linux' || process.arch === 'arm64')
    throw new Skipped('it emulates another processor on Linux');
  if (spawnSync('apt-get', ['--version']).status !== 0) throw new Skipped('there is no apt-get');
  const python = emulatedPython();
  const folder = mkdtempSync(path.join(os.tmpdir(), 'procvision-arm64-'));
  try {
    const [found] = await new VenvManager({ python }).interpreters();
    const { platform, abi, tags = new Set<string>() } = found ?? {};
    hold('the platform', platform === 'linux_aarch64' && abi === 'cp311', { platform, abi });
    const newest = [...tags].find((tag) => tag.includes('-manylinux_'));
    hold('the newest tag', newest === 'cp311-cp311-manylinux_2_36_aarch64', newest);
    const none = [...tags].filter((tag) => tag.includes('x86_64'));
    hold('no tag of this machine', none.length === 0, none);

    const zip = path.join(folder, 'sample-v1.0.0-offline.zip');
    const files = { 'algorithm/__init__.py': '', 'algorithm/main.py': ALGORITHM };
    const wheels = arm64Wheels(path.join(folder, 'wheels'));
    const requirements = 'procvision_algorithm_sdk\nnumpy\n';
    writeFileSync(zip, await buildPackage({ version: '1.0.0', files, wheels, requirements, stored: true }));
    const host = path.join(own, 'support/machine-host.mjs');
    const options = JSON.stringify({ python });
    const args = [host, path.join(own, '../dist'), path.join(folder, 'store'), zip, options];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: RUN_MS });
    const told = JSON.parse(/^\{.*\}$/m.exec(stdout)?.[0] ?? '{}') as Record<string, string>;
    hold('from the zip to the store', told.install === 'deployed', told.install ?? stderr.slice(-500));
    hold('a verdict by the worker of the SDK', told.sdk === 'OK OK', told.sdk);
    hold('a verdict by the bundled worker', told.bundled === 'OK OK', told.bundled);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

let skipped = 0;
await main().catch((error: unknown) => {
  if (!(error instanceof Skipped)) throw error;
  skipped = 1;
  tell(`skipped  ${error.message}`);
});
tell(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 ? 1 : 0;
