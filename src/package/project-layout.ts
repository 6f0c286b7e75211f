import { RunnerError } from '../errors.js';
import type { ArchiveEntry } from './archive-types.js';
import { listed, shown } from './text.js';
import { isByteCode } from './wheel-places.js';

export const MANIFEST_FILE = 'manifest.json';
export const REQUIREMENTS_FILE = 'requirements.txt';
/** The entry that holds a package's signature; the only entry that the digest leaves out. */
export const SIGNATURE_ENTRY = 'SIGNATURE';
const WHEELS_FOLDER = 'wheels';
const WHEELS_AT_TOP = `${WHEELS_FOLDER}/`;
const WHEEL_ENDING = '.whl';
/** Names beneath the algorithm root that are this library's own after deployment. */
const OWN_NAMES = /^(?:venv|\.procvision-version\.json|\.procvision-files\.json)(?:\/|$)/i;

/**
 * Where the parts of a package are in its archive. Three layouts are met: the project in a folder with `wheels/`
 * beside it (the packaging tool's), everything at the top, everything in one folder.
 */
export interface ProjectLayout {
  /** Prefix of the project's entries: `''` or `folder/`. */
  root: string;
  /** Prefix of the wheels' entries: `wheels/` at the top, or in the project's folder. */
  wheelsRoot: string;
  /** `manifest.json`, if there is one. */
  manifest: ArchiveEntry | undefined;
  /** `requirements.txt`, if there is one. */
  requirements: ArchiveEntry | undefined;
  /** Every file in the wheels folder, wheel or not. */
  wheelFiles: ArchiveEntry[];
  /** Whether there is a `wheels` folder, be it empty. */
  hasWheelsFolder: boolean;
  /** Entries that are left out of the deployment, by name. */
  leftOut: string[];
  /** Files of byte code in the project, by name: only what stands there as source is run. */
  byteCode: string[];
  /** Path of an entry beneath the deployed folder; undefined for an entry that is left out. */
  place(entry: ArchiveEntry): string | undefined;
}

/** Finds the parts. @throws RunnerError `invalid_zip` for two manifests or two folders of wheels */
export function findLayout(archivePath: string, entries: readonly ArchiveEntry[]): ProjectLayout {
  const signs = findSigns(entries);
  if (signs.manifests.length > 1)
    throw ambiguous(
      archivePath,
      'manifests',
      signs.manifests.map(({ name }) => name),
      'pack each project on its own',
    );
  const [manifest] = signs.manifests;
  const root = manifest?.name.slice(0, -MANIFEST_FILE.length) ?? '';
  const wheelsRoot = findWheels(archivePath, entries, signs.wheels, root);
  const layout: ProjectLayout = {
    root,
    wheelsRoot,
    manifest,
    requirements: undefined,
    wheelFiles: [],
    hasWheelsFolder: false,
    leftOut: [],
    byteCode: [],
    place: ({ name }) => placed(name, root, wheelsRoot),
  };
  // One loop with plain comparisons: there may be very many entries.
  const requirements = root + REQUIREMENTS_FILE;
  const wheelsFolder = wheelsRoot.slice(0, -1);
  entries.forEach((entry) => {
    const { name, isDirectory } = entry;
    if (name.startsWith(wheelsRoot) || name === wheelsFolder) {
      layout.hasWheelsFolder = true;
      if (!isDirectory) layout.wheelFiles.push(entry);
    } else if (!isDirectory) {
      if (name === requirements) layout.requirements = entry;
      if (isByteCode(name)) layout.byteCode.push(name);
      else if (!isProjects(name, root) && name !== SIGNATURE_ENTRY) layout.leftOut.push(name);
    }
  });
  return layout;
}

/** What tells where the parts are: few of the entries, found in one go over all of them. */
interface Signs {
  /** At the top, or in a folder there. */
  manifests: ArchiveEntry[];
  /** Names of files that end as a wheel's does, wherever they are. */
  wheels: string[];
}

function findSigns(entries: readonly ArchiveEntry[]): Signs {
  const signs: Signs = { manifests: [], wheels: [] };
  entries.forEach((entry) => {
    const { name, isDirectory } = entry;
    if (isDirectory) return;
    if (name.endsWith(WHEEL_ENDING)) signs.wheels.push(name);
    else if (name.endsWith(MANIFEST_FILE) && isNearTop(name)) signs.manifests.push(entry);
  });
  return signs;
}

function isNearTop(manifest: string): boolean {
  const folder = manifest.slice(0, -MANIFEST_FILE.length);
  return folder === '' || folder.indexOf('/') === folder.length - 1;
}

/** Prefix of the wheels' entries: beside the project folder or in it. */
function findWheels(
  archivePath: string,
  entries: readonly ArchiveEntry[],
  wheels: readonly string[],
  root: string,
): string {
  const inside = root + WHEELS_AT_TOP;
  // What lies there is the project itself, which happens to have that name.
  if (root === WHEELS_AT_TOP) return inside;
  const hasWheelBeside = wheels.some((name) => name.startsWith(WHEELS_AT_TOP));
  const hasWheelInside = root !== '' && wheels.some((name) => name.startsWith(inside));
  if (hasWheelBeside && hasWheelInside)
    throw ambiguous(archivePath, 'folders of wheels', [WHEELS_AT_TOP, inside], 'put all wheels into one');
  if (hasWheelInside) return inside;
  // A folder of wheels may have none in it.
  return hasWheelBeside || entries.some(isWheelsAtTop) ? WHEELS_AT_TOP : inside;
}

function isWheelsAtTop({ name }: ArchiveEntry): boolean {
  return name.startsWith(WHEELS_AT_TOP) || name === WHEELS_FOLDER;
}

/** Whether a file outside the wheels folder is part of the project, and not one of our own. */
function isProjects(name: string, root: string): boolean {
  if (!name.startsWith(root) || name.length === root.length) return false;
  // One letter decides for nearly all names.
  const first = name[root.length];
  return (first !== '.' && first !== 'v' && first !== 'V') || !OWN_NAMES.test(name.slice(root.length));
}

function placed(name: string, root: string, wheelsRoot: string): string | undefined {
  if (name.startsWith(wheelsRoot)) return `${WHEELS_FOLDER}/${name.slice(wheelsRoot.length)}`;
  if (isByteCode(name)) return undefined;
  return isProjects(name, root) ? name.slice(root.length) : undefined;
}

function ambiguous(archivePath: string, what: string, names: string[], remedy: string): RunnerError {
  return new RunnerError(
    'invalid_zip',
    `${archivePath} has ${names.length === 2 ? 'two' : names.length} ${what}: ${listed(names.map(shown), ' and ')}. It must have one: ${remedy}`,
    { details: { path: archivePath } },
  );
}
