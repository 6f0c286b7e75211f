import { lstat, readdir, realpath } from 'node:fs/promises';
import os from 'node:os';
import nodePath from 'node:path';
import type { OperationOptions } from '../../abort.js';
import { pythonEnvironment } from '../../process/environment.js';
import { run } from '../../process/run.js';
import { pyLauncherPlaces } from '../../process/windows-programs.js';
import { statProgram } from './facts-file.js';

/** Where to look; all of it has a default, tests give their own. */
export interface DiscoveryOptions extends OperationOptions {
  /** Paths, folders or command names; when given, nothing else is looked at. */
  given?: readonly string[];
  env?: NodeJS.ProcessEnv;
  platform?: NodeJS.Platform;
  home?: string;
}

const VERSIONED = /^python3\.\d+(\.exe)?$/;

/**
 * Files that may be Pythons, without duplicates by their real path, in the order of preference: `PATH` first, as the
 * user's own choice, then pyenv's versions (newest first) and what Windows' `py` launcher knows. What the launcher knows is a
 * list of its own: it has to be started for that, which is not done where one before it is taken.
 */
export async function* candidatesInTurn(options: DiscoveryOptions = {}): AsyncGenerator<string[]> {
  const { env = process.env, platform = process.platform } = options;
  const folders = pathFolders(env, platform);
  const seen = new Set<string>();
  const fresh = async (found: readonly string[]) => {
    const reals = await Promise.all(found.map((file) => realpath(file).catch(() => file)));
    return found.filter((file, index) => {
      // A shim is one file under many names, and stands for another interpreter under each.
      const key = isShim(file) ? file : (reals[index] ?? file);
      return !seen.has(key) && seen.add(key);
    });
  };
  if (options.given) {
    const given = options.given.map((one) => resolveGiven(one, folders, platform));
    yield fresh((await Promise.all(given)).flat());
    return;
  }
  const versions = await pyenvVersions(env, platform, options.home ?? os.homedir());
  yield fresh([...(await onPath(folders, platform)), ...versions]);
  if (platform === 'win32') yield fresh(await pyLauncher(options));
}

/** All of {@link candidatesInTurn}. */
export async function findCandidates(options: DiscoveryOptions = {}): Promise<string[]> {
  const found: string[] = [];
  for await (const some of candidatesInTurn(options)) found.push(...some);
  return found;
}

/** Where {@link findCandidates} looks, for the message that nothing was found. */
export function placesLookedAt(options: DiscoveryOptions = {}): string[] {
  const { env = process.env, platform = process.platform } = options;
  if (options.given) return [...options.given];
  return [
    ...pathFolders(env, platform),
    pyenvFolder(env, platform, options.home ?? os.homedir()),
    ...(platform === 'win32' ? ['the py launcher'] : []),
  ];
}

/** The interpreter in a folder: of an installation, an environment, or a runtime that ships with a package. */
export async function interpreterIn(
  folder: string,
  platform: NodeJS.Platform = process.platform,
): Promise<string | undefined> {
  const names =
    platform === 'win32'
      ? ['python.exe', nodePath.join('Scripts', 'python.exe'), nodePath.join('bin', 'python.exe')]
      : [nodePath.join('bin', 'python3'), nodePath.join('bin', 'python'), 'python3', 'python'];
  for (const name of names) {
    const file = nodePath.join(folder, name);
    if (await isFile(file)) return file;
  }
  return undefined;
}

function pathFolders(env: NodeJS.ProcessEnv, platform: NodeJS.Platform): string[] {
  const name = Object.keys(env).find((key) => (platform === 'win32' ? key.toUpperCase() : key) === 'PATH');
  const value = name === undefined ? '' : (env[name] ?? '');
  return [...new Set(value.split(platform === 'win32' ? ';' : ':'))].filter((folder) =>
    nodePath.isAbsolute(folder),
  );
}

async function resolveGiven(
  given: string,
  folders: readonly string[],
  platform: NodeJS.Platform,
): Promise<string[]> {
  const isCommand = !/[\\/]/.test(given);
  if (isCommand) {
    const names = platform === 'win32' ? [given, `${given}.exe`] : [given];
    for (const folder of folders) {
      for (const name of names) {
        const file = nodePath.join(folder, name);
        if (await isFile(file)) return [file];
      }
    }
  }
  const absolute = nodePath.resolve(given);
  // What is not there is kept: the error that follows says so.
  return [(await isFile(absolute)) ? absolute : ((await interpreterIn(absolute, platform)) ?? absolute)];
}

async function onPath(folders: readonly string[], platform: NodeJS.Platform): Promise<string[]> {
  const plain = platform === 'win32' ? ['python3.exe', 'python.exe'] : ['python3', 'python'];
  const first: string[] = [];
  const versioned: string[] = [];
  const listings = await Promise.all(folders.map((folder) => readdir(folder).catch(() => [])));
  for (const [index, folder] of folders.entries()) {
    const names = listings[index] ?? [];
    const there = new Set(names);
    for (const name of plain) if (there.has(name)) first.push(nodePath.join(folder, name));
    // pyenv's shims of versions are found below as what they stand for; asking a shim takes twice as long.
    if (isShim(nodePath.join(folder, 'python3'))) continue;
    versioned.push(
      ...names
        .filter((name) => VERSIONED.test(name))
        .sort(newestFirst)
        .map((name) => nodePath.join(folder, name)),
    );
  }
  return [...first, ...versioned];
}

async function pyenvVersions(
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform,
  home: string,
): Promise<string[]> {
  const versions = pyenvFolder(env, platform, home);
  const names = await readdir(versions).catch(() => []);
  const found = await Promise.all(
    names.sort(newestFirst).map((name) => interpreterIn(nodePath.join(versions, name), platform)),
  );
  return found.filter((file) => file !== undefined);
}

function pyenvFolder(env: NodeJS.ProcessEnv, platform: NodeJS.Platform, home: string): string {
  const root =
    env.PYENV_ROOT ??
    (platform === 'win32' ? nodePath.join(home, '.pyenv', 'pyenv-win') : nodePath.join(home, '.pyenv'));
  return nodePath.join(root, 'versions');
}

/** What `py -0p` lists: ` -V:3.11 *        C:\…\python.exe`, before Python 3.11 ` -3.9-64  C:\…\python.exe`. */
export function parsePyLauncher(stdout: string): string[] {
  return stdout
    .split(/\r?\n/)
    .map((line) => /^\s*-\S+\s+(?:\*\s+)?(.*\S)\s*$/.exec(line)?.[1])
    .filter((file) => file !== undefined);
}

async function pyLauncher(options: DiscoveryOptions): Promise<string[]> {
  const { env = process.env } = options;
  const places = [
    ...pyLauncherPlaces(env),
    ...pathFolders(env, 'win32').map((folder) => nodePath.join(folder, 'py.exe')),
  ];
  // Not stat(): that cannot follow what stands for a program of the Store.
  const found = await Promise.all(
    places.map((place) =>
      lstat(place).then(
        () => true,
        () => false,
      ),
    ),
  );
  const program = places[found.indexOf(true)];
  if (program === undefined) return []; // no launcher on this machine
  try {
    const { stdout } = await run(program, ['-0p'], {
      env: pythonEnvironment({}, options.env),
      timeoutMs: 10_000,
      signal: options.signal,
    });
    return parsePyLauncher(stdout);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    return []; // it does not run
  }
}

function isShim(file: string): boolean {
  return nodePath.basename(nodePath.dirname(file)) === 'shims';
}

async function isFile(file: string): Promise<boolean> {
  return (await statProgram(file)) !== undefined;
}

/** Numbers in names by their value. Not `localeCompare`: the first one of a process takes 10 ms to load its tables. */
function newestFirst(a: string, b: string): number {
  const [left, right] = [a, b].map((name) => name.toLowerCase().match(/\d+|\D+/g) ?? []);
  for (let index = 0; ; index++) {
    const [one, other] = [left?.[index], right?.[index]];
    if (one === other) {
      if (one === undefined) return 0;
      continue;
    }
    if (one === undefined) return 1;
    if (other === undefined) return -1;
    const byValue = Number(other) - Number(one); // NaN where one is no number
    if (byValue) return byValue;
    if (isNaN(byValue)) return one < other ? 1 : -1;
  }
}
