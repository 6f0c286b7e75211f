import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { RunnerError } from '../errors.js';
import { archiveBytes, type WrittenEntry } from './archive/write-archive.js';
import { parseManifestJson } from './manifest.js';
import type { PackOptions } from './types.js';

const MANIFEST = 'manifest.json';
const WHEELS = 'wheels';
/** The file of the published packaging tool whose name begins with a dot. */
const KEPT_HIDDEN = '.procvision_env.json';
/** A package that was made of the project before: within the next one it would make that as large as both. */
const PACKAGE = /-offline\.zip$/i;

/** See `packProject`. */
export async function* projectBytes(
  folder: string,
  { wheels, compress = true }: PackOptions = {},
): AsyncGenerator<Buffer, void, undefined> {
  const root = path.resolve(folder);
  yield* archiveBytes(await entriesOf(root, wheels === undefined ? undefined : path.resolve(wheels)), {
    compress,
  });
}

async function entriesOf(root: string, wheels: string | undefined): Promise<WrittenEntry[]> {
  const names = await namesIn(root);
  if (names.includes(MANIFEST)) {
    const prefix = `${await nameOf(root)}/`;
    const project = await filesBelow(root, prefix, [WHEELS]);
    return [...project, ...(await wheelsIn(wheels ?? path.join(root, WHEELS)))].sort(byName);
  }
  // A package as it was unpacked: a folder with the project, and the wheels beside it.
  const inside = await Promise.all(
    names.map(async (name) => (await exists(path.join(root, name, MANIFEST))) && name),
  );
  if (inside.filter(Boolean).length !== 1) throw noManifest(root);
  if (wheels === undefined) return (await filesBelow(root, '', [])).sort(byName);
  return [...(await filesBelow(root, '', [WHEELS])), ...(await wheelsIn(wheels))].sort(byName);
}

async function namesIn(root: string): Promise<string[]> {
  try {
    return await readdir(root);
  } catch (cause) {
    const message = `The project folder ${root} cannot be read: ${(cause as Error).message}`;
    throw new RunnerError('manifest_missing', message, { cause, details: { path: root } });
  }
}

/** The name that the manifest gives: the folder in the zip is called so. What is wrong with it, validation tells. */
async function nameOf(root: string): Promise<string> {
  const { value } = parseManifestJson(await readFile(path.join(root, MANIFEST)));
  const { name } = (value as { name?: unknown } | null | undefined) ?? {};
  const isPlain = typeof name === 'string' && /^[\w][\w.-]*$/.test(name) && name !== WHEELS;
  return isPlain ? name : 'project';
}

/**
 * Everything below a folder that belongs into a package: no environment, no byte code, no package, nothing hidden. Links are followed to
 * files, never into folders, where they may turn in a circle.
 */
async function filesBelow(
  folder: string,
  prefix: string,
  leftOut: readonly string[],
): Promise<WrittenEntry[]> {
  const found: WrittenEntry[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const { name } = entry;
    if (leftOut.includes(name) || isLeftOut(name)) continue;
    const file = path.join(folder, name);
    if (entry.isDirectory()) {
      found.push(...(await filesBelow(file, `${prefix}${name}/`, [])));
      continue;
    }
    const facts = await stat(file).catch(() => undefined);
    if (!facts?.isFile()) continue;
    const isExecutable = (facts.mode & 0o111) !== 0;
    found.push({ name: prefix + name, file, sizeBytes: facts.size, isExecutable });
  }
  return found;
}

function isLeftOut(name: string): boolean {
  if (name === KEPT_HIDDEN) return false;
  return (
    name.startsWith('.') ||
    name === 'venv' ||
    name === '__pycache__' ||
    /\.py[co]$/.test(name) ||
    PACKAGE.test(name)
  );
}

async function wheelsIn(folder: string): Promise<WrittenEntry[]> {
  const top: WrittenEntry = { name: `${WHEELS}/`, sizeBytes: 0, isExecutable: false };
  if (!(await exists(folder))) return [top];
  const found = await filesBelow(folder, `${WHEELS}/`, []);
  return [top, ...found.filter(({ name }) => name.endsWith('.whl'))];
}

function byName({ name: a }: WrittenEntry, { name: b }: WrittenEntry): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

function noManifest(root: string): RunnerError {
  return new RunnerError(
    'manifest_missing',
    `${root} has no ${MANIFEST}, and no single folder in it has one: give the folder of one project`,
    { details: { path: root } },
  );
}
