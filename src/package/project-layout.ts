import { RunnerError } from '../errors.js';
import type { ArchiveEntry } from './archive-types.js';
import { SIGNATURE_ENTRY } from './integrity/digest.js';

export const MANIFEST_FILE = 'manifest.json';
export const REQUIREMENTS_FILE = 'requirements.txt';
const WHEELS_FOLDER = 'wheels';
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
  /** Path of an entry beneath the deployed folder; undefined for one that is left out. */
  place(entry: ArchiveEntry): string | undefined;
}

/** Finds the parts. @throws RunnerError `invalid_zip` for two manifests or two folders of wheels */
export function findLayout(archivePath: string, entries: readonly ArchiveEntry[]): ProjectLayout {
  const manifests = entries.filter(isManifest);
  if (manifests.length > 1)
    throw ambiguous(
      archivePath,
      'manifests',
      manifests.map(({ name }) => name),
    );
  const [manifest] = manifests;
  const root = manifest?.name.slice(0, -MANIFEST_FILE.length) ?? '';
  const wheelsRoot = findWheels(archivePath, entries, root);
  const layout: ProjectLayout = {
    root,
    wheelsRoot,
    manifest,
    requirements: undefined,
    wheelFiles: [],
    hasWheelsFolder: false,
    leftOut: [],
    place: ({ name }) => placed(name, root, wheelsRoot),
  };
  // One loop with plain comparisons: there may be very many entries.
  const requirements = root + REQUIREMENTS_FILE;
  for (const entry of entries) {
    const { name, isDirectory } = entry;
    if (liesIn(name, wheelsRoot)) {
      layout.hasWheelsFolder = true;
      if (!isDirectory) layout.wheelFiles.push(entry);
    } else if (!isDirectory) {
      if (name === requirements) layout.requirements = entry;
      if (name !== SIGNATURE_ENTRY && !isProjects(name, root)) layout.leftOut.push(name);
    }
  }
  return layout;
}

function isManifest({ name, isDirectory }: ArchiveEntry): boolean {
  if (isDirectory || !name.endsWith(MANIFEST_FILE)) return false;
  const folder = name.slice(0, -MANIFEST_FILE.length);
  return folder === '' || folder.indexOf('/') === folder.length - 1;
}

/** Prefix of the wheels' entries: beside the project folder or in it. */
function findWheels(archivePath: string, entries: readonly ArchiveEntry[], root: string): string {
  const beside = `${WHEELS_FOLDER}/`;
  const inside = root + beside;
  const has = { beside: false, wheelBeside: false, wheelInside: false };
  for (const { name, isDirectory } of entries) {
    const isWheel = !isDirectory && name.endsWith('.whl');
    if (liesIn(name, beside)) {
      has.beside = true;
      has.wheelBeside ||= isWheel;
    } else if (isWheel && name.startsWith(inside)) has.wheelInside = true;
  }
  if (has.wheelBeside && has.wheelInside) throw ambiguous(archivePath, 'folders of wheels', [beside, inside]);
  return has.wheelBeside || (has.beside && !has.wheelInside) ? beside : inside;
}

/** Whether a name is that folder or something in it. */
function liesIn(name: string, folder: string): boolean {
  return name.startsWith(folder) || (name.length === folder.length - 1 && folder.startsWith(name));
}

/** Whether a file outside the wheels folder is part of the project, and not one of our own. */
function isProjects(name: string, root: string): boolean {
  if (!name.startsWith(root) || name.length === root.length) return false;
  // Nearly all names are told by one letter.
  const first = name[root.length];
  return (first !== '.' && first !== 'v' && first !== 'V') || !OWN_NAMES.test(name.slice(root.length));
}

function placed(name: string, root: string, wheelsRoot: string): string | undefined {
  if (name.startsWith(wheelsRoot)) return `${WHEELS_FOLDER}/${name.slice(wheelsRoot.length)}`;
  return isProjects(name, root) ? name.slice(root.length) : undefined;
}

function ambiguous(archivePath: string, what: string, names: string[]): RunnerError {
  return new RunnerError(
    'invalid_zip',
    `${archivePath} has two ${what}: ${names.join(' and ')}. It must have one: pack each project on its own`,
    { details: { path: archivePath } },
  );
}
