import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ActiveMapping, Registry, RegistryEntry, Runner, RunnerOptions } from 'procvision-runner';
import { nearest } from './nearest.js';
import { notFound, usage } from './host.js';
import type { Call } from './spec.js';

/** Most words that a message lists. */
const MOST_LISTED = 10;

function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

/** Whether a folder holds a store. */
export async function isStore(root: string): Promise<boolean> {
  return (await exists(path.join(root, 'registry.json'))) || (await exists(path.join(root, 'algorithms')));
}

/** Refuses a root that holds no store: to open one would make it. @throws CliFailure 3 */
export async function checkStore({ root }: Call): Promise<void> {
  if (await isStore(root)) return;
  const parent = path.dirname(root);
  const near = nearest(path.basename(root), await namesIn(parent));
  const hint =
    near !== undefined && (await exists(path.join(parent, near, 'algorithms')))
      ? `. Did you mean --root ${path.join(parent, near)}?`
      : ': name one with --root, or make one by an install';
  throw notFound(`There is no store at ${root}${hint}`);
}

/** The registry alone, for what needs no more. */
export async function withRegistry<T>(call: Call, work: (registry: Registry) => Promise<T>): Promise<T> {
  await checkStore(call);
  const { Registry } = await import('procvision-runner');
  const registry = await Registry.open(call.root, { signal: call.signal });
  try {
    return await work(registry);
  } finally {
    await registry.close();
  }
}

/** Everything composed, over a store that is there; `make` lets it be made. */
export async function withRunner<T>(
  call: Call,
  work: (runner: Runner) => Promise<T>,
  { make = false, ...options }: RunnerOptions & { make?: boolean } = {},
): Promise<T> {
  if (!make) await checkStore(call);
  const { openRunner } = await import('procvision-runner');
  const runner = await openRunner(call.root, { ...options, signal: call.signal });
  try {
    return await work(runner);
  } finally {
    await runner.close();
  }
}

/** A deployed version. @throws CliFailure 3 with the nearest that is deployed */
export async function findVersion(registry: Registry, name: string, version: string): Promise<RegistryEntry> {
  const entries = await registry.list();
  const found = entries.find((entry) => entry.name === name && entry.version === version);
  if (found) return found;
  const versions = entries.filter((entry) => entry.name === name).map((entry) => entry.version);
  if (versions.length > 0) {
    throw notFound(`${name} ${version} is not deployed${hint(version, versions, 'Deployed versions')}`);
  }
  throw unknownName(name, entries);
}

/** The deployed versions of a package, newest last. @throws CliFailure 3 */
export async function findVersions(registry: Registry, name: string): Promise<RegistryEntry[]> {
  const entries = await registry.list();
  const found = entries.filter((entry) => entry.name === name);
  if (found.length > 0) return found;
  throw unknownName(name, entries);
}

/** A word of the command line in a message: one without letters would not be seen. */
function shown(word: string): string {
  return word.trim() === '' ? `'${word}'` : word;
}

function unknownName(name: string, entries: readonly RegistryEntry[]): Error {
  const names = [...new Set(entries.map((entry) => entry.name))];
  if (names.length === 0) return notFound(`${shown(name)} is not deployed: the store has no package yet`);
  return notFound(`${shown(name)} is not deployed${hint(name, names, 'Deployed packages')}`);
}

/** Product ids that are active. @throws CliFailure 3 with the nearest that is */
export async function findActive(registry: Registry, ids: readonly string[]): Promise<ActiveMapping[]> {
  const active = await registry.active();
  return ids.map((id) => {
    const mapping = active[id];
    if (mapping) return mapping;
    const known = Object.keys(active);
    if (known.length === 0) throw notFound(`Product id ${shown(id)} is not active: none is`);
    throw notFound(`Product id ${shown(id)} is not active${hint(id, known, 'Active product ids')}`);
  });
}

/** Product ids that a version supports; a version that names none serves any. @throws CliFailure 3 with the nearest that it does */
export function checkSupported(
  { name, version, supported_pids: supported }: RegistryEntry,
  ids: readonly string[],
): void {
  const foreign = ids.find((id) => supported.length > 0 && !supported.includes(id));
  if (foreign === undefined) return;
  throw notFound(
    `${name} ${version} does not support ${shown(foreign)}${hint(foreign, supported, 'It supports')}`,
  );
}

/** A file or folder of the command line, as an absolute path. @throws CliFailure 3 with the nearest in its folder */
export async function findFile(call: Call, given: string, what = 'file', remedy?: string): Promise<string> {
  if (given.trim() === '') throw notFound(`There is no ${what} ${shown(given)}`); // it would be the working folder
  if (/^\w+:\/\//.test(given))
    throw notFound(
      `There is no ${what} ${given}: it is an address. Name a file by its path, downloaded before`,
    );
  const file = call.path(given);
  if (await exists(file)) return file;
  const folder = path.dirname(file);
  if (!(await exists(folder))) throw notFound(`There is no ${what} ${given}: its folder is not there`);
  const near = nearest(path.basename(file), await namesIn(folder));
  const hint =
    near === undefined ? (remedy ?? '') : `. Did you mean ${path.join(path.dirname(given), near)}?`;
  throw notFound(`There is no ${what} ${given}${hint}`);
}

/** Where a file is to be written, as an absolute path. @throws CliFailure 2 for a folder, 3 where its own folder is not there */
export async function newFile(call: Call, given: string): Promise<string> {
  const file = call.path(given);
  if ((await kindOf(file)) === 'folder') throw usage(`${shown(given)} is a folder: name a file`);
  if (await exists(path.dirname(file))) return file;
  throw notFound(`${given} cannot be written: its folder is not there`);
}

/** A folder that is there or is to be made, as an absolute path. @throws CliFailure 2 for a file */
export async function newFolder(call: Call, given: string): Promise<string> {
  const folder = call.path(given);
  if ((await kindOf(folder)) === 'file') throw usage(`${given} is a file: name a folder`);
  return folder;
}

async function kindOf(place: string): Promise<'file' | 'folder' | undefined> {
  const found = await stat(place).catch(() => undefined);
  if (!found) return undefined;
  return found.isDirectory() ? 'folder' : 'file';
}

/** The nearest right word, or else the words there are. */
function hint(word: string, known: readonly string[], title: string): string {
  const near = nearest(word, known);
  if (near !== undefined) return `. Did you mean ${near}?`;
  const more = known.length > MOST_LISTED ? ` and ${known.length - MOST_LISTED} more` : '';
  return `. ${title}: ${known.slice(0, MOST_LISTED).join(', ')}${more}`;
}
