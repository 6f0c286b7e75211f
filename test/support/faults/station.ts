import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import type { PackageSteps } from '../../../src/deploy/package-steps.js';
import { ownIdentity, type ProcessIdentity } from '../../../src/process/identity.js';
import type { FindingId } from '../../../src/runner/doctor/catalogue.js';
import { examine, type DoctorContext } from '../../../src/runner/examine.js';
import type { Finding } from '../../../src/runner/doctor/finding.js';
import type { DoctorOptions } from '../../../src/runner/types.js';
import type { PackageSource } from '../../../src/testing/index.js';
import { deployStore, type DeployStore } from '../deploy-store.js';
import { PYTHON_IN, siteIn } from '../environment-places.js';
import { IS_WINDOWS } from '../platform.js';
import { plainSteps } from '../plain-steps.js';
import { temporaryFolder } from '../temp-folder.js';

/** A Python of this machine, as its own executable. */
export const PYTHON = execFileSync(
  'python3',
  ['-c', 'import sys; print(sys.executable); print("%d.%d.%d" % sys.version_info[:3])'],
  {
    encoding: 'utf8',
  },
)
  .trim()
  .split(/\r?\n/) as [path: string, version: string];

/** An interpreter in place of this machine's. */
export interface GivenPython {
  base?: string;
}

/** A station with a version that is active, and what is said of it. */
export interface Station extends DeployStore {
  root: string;
  /** Folder of the deployed version. */
  version: string;
  /** Of its environment. */
  site: string;
  /** From which the next environment is made. */
  python: GivenPython;
  /** Options and surroundings of the next looks. */
  options: DoctorOptions;
  surroundings: NonNullable<DoctorContext['surroundings']>;
  context: DoctorContext;
  look: () => Promise<Finding[]>;
  /** Applies the fix of the finding. */
  fix: () => Promise<void>;
  /** Installs the version again with force. */
  reinstall: () => Promise<void>;
}

/** A fault: how it comes, and how its remedy is done. */
export interface Fault {
  title: string;
  /** What must be found, and nothing else. */
  id: FindingId | readonly FindingId[];
  /** A word of the finding that names the thing. */
  names?: string | RegExp;
  /** Why it cannot be put in here. */
  skip?: string | undefined;
  /** Of the station: without it there is a version, and its files are not compared. */
  make?: {
    place?: () => Promise<string>;
    source?: PackageSource;
    wheels?: Readonly<Record<string, Buffer | string>>;
    /** Makes an interpreter in a folder, for the environment. */
    base?: (folder: string) => string;
    /** Nothing is deployed. @defaultValue false */
    isBare?: boolean;
    /** Files of the version are compared. @defaultValue false */
    isVerified?: boolean;
  };
  inject: (station: Station) => unknown;
  /** What the finding says to do. `fix`: its fix. */
  remedy: 'fix' | ((station: Station) => unknown);
  /** Pythons are asked too: takes longer. */
  withPythons?: boolean;
}

/** Puts an interpreter into an environment: a link to this one; on Windows a program, and the folder of the one it starts. */
function putPython(environment: string, base: string): void {
  const file = path.join(environment, PYTHON_IN);
  fs.mkdirSync(path.dirname(file));
  if (!IS_WINDOWS) {
    fs.symlinkSync(base, file);
    return;
  }
  fs.copyFileSync(PYTHON[0], file);
  fs.writeFileSync(path.join(environment, 'pyvenv.cfg'), `home = ${path.dirname(base)}\n`);
}

/** As plainSteps, with an environment that has an interpreter, a module and its byte code, and files of wheels. */
function stepsWith(wheels: Readonly<Record<string, Buffer | string>>, given?: GivenPython): PackageSteps {
  const [, version] = PYTHON;
  return {
    ...plainSteps,
    environment: async (root, inspection, o) => {
      const made = await plainSteps.environment(root, inspection, o);
      const { dir } = made.venv;
      const files = { 'tool.py': 'x = 1\n', '__pycache__/tool.cpython-311.pyc': 'compiled', ...wheels };
      for (const [name, content] of Object.entries(files)) {
        const file = path.join(siteIn(dir, version), name);
        fs.mkdirSync(path.dirname(file), { recursive: true });
        fs.writeFileSync(file, content);
      }
      putPython(dir, given?.base ?? PYTHON[0]);
      return { ...made, venv: { ...made.venv, interpreter: { ...made.venv.interpreter, version } } };
    },
  };
}

export async function makeStation({ make = {}, withPythons = false }: Partial<Fault> = {}): Promise<Station> {
  const place = await make.place?.();
  const base = make.base?.(await temporaryFolder());
  const python: GivenPython = { ...(base !== undefined && { base }) };
  const store = await deployStore({ steps: stepsWith(make.wheels ?? {}, python) }, place);
  const beside = await temporaryFolder();
  const [sharedMemory = '', temp = ''] = ['shm', 'tmp'].map((name) => path.join(beside, name));
  for (const folder of [sharedMemory, temp]) fs.mkdirSync(folder);
  const { registry, deployer } = store;
  const zip = await store.zip({ productIds: ['A01'], files: { 'model.bin': 'weights' }, ...make.source });
  if (!make.isBare) {
    await deployer.install(zip);
    await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  }
  const { layout } = registry;
  const station: Station = {
    ...store,
    root: layout.root,
    version: layout.deployed('sample', '1.0.0'),
    site: siteIn(layout.venv('sample', '1.0.0'), PYTHON[1]),
    python,
    options: {},
    surroundings: { sharedMemory, temp, mayStandBack: true, availableMemory: () => 2 ** 34 },
    context: { ...(!withPythons && { without: ['pythons'] }) },
    look: () => {
      const { options, surroundings, context } = station;
      return examine(layout, { verify: make.isVerified ?? false, ...options }, { ...context, surroundings });
    },
    fix: async () => {
      const found = await station.look();
      for (const one of found) await one.fix?.apply();
    },
    reinstall: async () => {
      await deployer.install(zip, { force: true });
    },
  };
  return station;
}

/** A process that has been here and is dead. */
export async function deadProcess(): Promise<ProcessIdentity> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  const pid = child.pid ?? 0;
  await new Promise((resolve) => child.once('exit', resolve));
  return { ...(await ownIdentity()), pid, startTime: '1' };
}

/** Changes a file that was sealed. */
export function overwrite(file: string, content: string | Buffer): void {
  fs.chmodSync(file, 0o644);
  fs.writeFileSync(file, content);
  fs.chmodSync(file, 0o444);
}

/** Binds a product id in registry.json, whatever the registry would say. */
export function bindIn(
  station: Station,
  pid: string,
  { name, version }: { name: string; version: string },
): void {
  editRegistry(station, ({ active }) => {
    active[pid] = { pid, name, version, activated_at: new Date().toISOString() };
  });
}

/** Changes registry.json by hand. */
export function editRegistry({ registry }: Station, edit: (content: RegistryJson) => void): void {
  const file = registry.layout.registry;
  const content = JSON.parse(fs.readFileSync(file, 'utf8')) as RegistryJson;
  edit(content);
  const copies = content.active;
  fs.writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`);
  for (const mapping of Object.values(copies)) {
    fs.writeFileSync(registry.layout.active(mapping.pid), `${JSON.stringify(mapping, null, 2)}\n`);
  }
}

/** registry.json as it is written. */
export interface RegistryJson {
  packages: Record<string, unknown>[];
  active: Record<string, { pid: string; name: string; version: string; [key: string]: unknown }>;
  [key: string]: unknown;
}

/** Looks for packages from a folder of its own, with no package in it. */
export function loaderIn(folder: string): (name: string) => unknown {
  fs.mkdirSync(path.join(folder, 'node_modules'), { recursive: true });
  return (name) => createRequire(path.join(folder, 'index.js'))(name) as unknown;
}

/** Sets a soft limit of this process; what it was comes back when the test ends. */
export function softLimit(name: string, value: string): () => void {
  const set = (text: string) => {
    execFileSync('prlimit', ['--pid', String(process.pid), `--${name}=${text}:`]);
  };
  const before = execFileSync(
    'prlimit',
    ['--pid', String(process.pid), `--${name}`, '--noheadings', '--output=SOFT'],
    {
      encoding: 'utf8',
    },
  ).trim();
  onTestFinished(() => {
    set(before);
  });
  set(value);
  return () => {
    set(before);
  };
}

/** Why limits of this process cannot be set. */
export const NO_LIMITS = ['/usr/bin/prlimit', '/bin/prlimit'].some((file) => fs.existsSync(file))
  ? undefined
  : 'there is no prlimit(1)';

/** Why the right to write cannot be given to all. */
export const NO_MODES = IS_WINDOWS ? 'Windows has no modes of this kind' : undefined;

/** Why a program cannot be written as a script. */
export const NO_SCRIPTS = IS_WINDOWS ? 'a script is no program there' : undefined;

/** Why something that only Linux has is not looked at here. */
export const notLinux = process.platform === 'linux' ? undefined : 'it is looked at on Linux alone';

/** An hour, in milliseconds. */
export const HOUR_MS = 3_600_000;

let undo: (() => void) | undefined;

/** Remembers how the fault that was put in is undone. */
export function until(work: () => void): void {
  undo = work;
}

/** Undoes it: the remedy of a fault that a person mends outside of the station. */
export function back(): void {
  undo?.();
  undo = undefined;
}

/** Gives the station other surroundings. */
export function set(o: Station['surroundings']): (station: Station) => void {
  return (station) => void Object.assign(station.surroundings, o);
}
