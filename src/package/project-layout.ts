import { RunnerError } from '../errors.js';
import type { ArchiveEntry } from './archive-types.js';
import { SIGNATURE_ENTRY } from './integrity.js';

export const MANIFEST_FILE = 'manifest.json';
export const REQUIREMENTS_FILE = 'requirements.txt';
const WHEELS_FOLDER = 'wheels';
/** Names beneath the algorithm root that are this library's own after deployment. */
const OWN_NAMES = ['venv', '.procvision-version.json', '.procvision-files.json'];

/**
 * Where the parts of a package are in its archive. Three layouts are met: the project in a folder with `wheels/`
 * beside it (the packaging tool's), everything at the top, everything in one folder.
 */
export interface ProjectLayout {
  /** Prefix of the project's entries: `''` or `folder/`. */
  root: string;
  manifest: ArchiveEntry | undefined;
  requirements: ArchiveEntry | undefined;
  /** Every file in the wheels folder, wheel or not. */
  wheelFiles: ArchiveEntry[];
  hasWheelsFolder: boolean;
  /** Entries that are left out of the deployment, by name. */
  leftOut: string[];
  /** Path of an entry beneath the deployed folder; undefined for one that is left out. */
  place(entry: ArchiveEntry): string | undefined;
}

/** Finds the parts. @throws RunnerError `invalid_zip` for two manifests or two folders of wheels */
export function findLayout(archivePath: string, entries: readonly ArchiveEntry[]): ProjectLayout {
  const files = entries.filter((entry) => !entry.isDirectory);
  const manifests = files.filter(({ name }) => /^(?:[^/]+\/)?manifest\.json$/.test(name));
  if (manifests.length > 1)
    throw ambiguous(
      archivePath,
      'manifests',
      manifests.map(({ name }) => name),
    );
  const [manifest] = manifests;
  const root = manifest?.name.slice(0, -MANIFEST_FILE.length) ?? '';
  const wheelRoots = [...new Set([`${WHEELS_FOLDER}/`, `${root}${WHEELS_FOLDER}/`])].filter((prefix) =>
    files.some(({ name }) => name.startsWith(prefix) && name.endsWith('.whl')),
  );
  if (wheelRoots.length > 1) throw ambiguous(archivePath, 'folders of wheels', wheelRoots);
  const beside = `${WHEELS_FOLDER}/`;
  const wheelsRoot =
    wheelRoots[0] ??
    (entries.some(({ name }) => `${name}/`.startsWith(beside)) ? beside : `${root}${beside}`);
  const place = (entry: ArchiveEntry) => placed(entry.name, root, wheelsRoot);
  return {
    root,
    manifest,
    requirements: files.find(({ name }) => name === root + REQUIREMENTS_FILE),
    wheelFiles: files.filter(({ name }) => name.startsWith(wheelsRoot)),
    hasWheelsFolder: entries.some(({ name }) => `${name}/`.startsWith(wheelsRoot)),
    leftOut: files
      .filter((entry) => place(entry) === undefined && entry.name !== SIGNATURE_ENTRY)
      .map(({ name }) => name),
    place,
  };
}

function placed(name: string, root: string, wheelsRoot: string): string | undefined {
  if (name.startsWith(wheelsRoot)) return `${WHEELS_FOLDER}/${name.slice(wheelsRoot.length)}`;
  if (!name.startsWith(root)) return undefined;
  const inside = name.slice(root.length);
  const top = inside.split('/')[0] ?? '';
  return inside === '' || OWN_NAMES.includes(top.toLowerCase()) ? undefined : inside;
}

function ambiguous(archivePath: string, what: string, names: string[]): RunnerError {
  return new RunnerError(
    'invalid_zip',
    `${archivePath} has two ${what}: ${names.join(' and ')}. It must have one: pack each project on its own`,
    { details: { path: archivePath } },
  );
}
