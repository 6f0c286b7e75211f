import type { ArchiveEntry } from '../package/archive-types.js';
import { MANIFEST_FILE, REQUIREMENTS_FILE } from '../package/project-layout.js';
import { shown } from '../package/text.js';
import { parseWheelName } from '../package/wheel-name.js';

/** What Finder writes beside each file on disks that cannot keep what macOS knows of it. */
export function isAppleDouble(file: string): boolean {
  return file.startsWith('._');
}

/**
 * The name that a wheel had before a browser, a system or a person changed it; undefined where it is not known.
 */
export function wheelNameMeant(file: string): string | undefined {
  const before = decoded(file)
    // The second copy that a browser or Explorer makes of a file.
    .replace(/(?: ?\(\d+\)| - (?:copy|kopie|副本)(?: ?\(\d+\))?)(?=\.whl)/i, '')
    // What was added to a name by a download that did not end, or by an unwise archiver.
    .replace(/\.whl\.(?:zip|part|crdownload|download|tmp)$/i, '.whl')
    .replace(/\.whl$/i, '.whl')
    .trim();
  return before !== file && parseWheelName(before, 0) ? before : undefined;
}

/** Without the escapes of a URL. */
function decoded(file: string): string {
  try {
    return decodeURIComponent(file);
  } catch {
    return file;
  }
}

/** Why a package has no `manifest.json` where it is looked for, and what to do; undefined where nothing tells. */
export function manifestHint(entries: readonly ArchiveEntry[]): string | undefined {
  const files = entries.filter(({ isDirectory }) => !isDirectory).map(({ name }) => name);
  const deep = files.find((name) => name.endsWith(`/${MANIFEST_FILE}`));
  if (deep !== undefined) {
    const folder = deep.slice(0, -MANIFEST_FILE.length - 1);
    const above = folder.slice(0, Math.max(0, folder.lastIndexOf('/')));
    return `${shown(deep)} lies one folder too deep or more: pack what is in ${shown(above)}, not the folders around it`;
  }
  const spelled = misspelled(files, MANIFEST_FILE);
  if (spelled !== undefined) return `${shown(spelled)} is there: rename it to ${MANIFEST_FILE}`;
  const inner = files.find((name) => /\.zip$/i.test(name));
  return inner !== undefined && files.length <= 3
    ? `it has another zip in it: unpack it, and give the ${shown(inner)} in it`
    : undefined;
}

/** The same for `requirements.txt`, which stands beside the manifest. */
export function requirementsHint(entries: readonly ArchiveEntry[], root: string): string | undefined {
  const files = entries.filter(({ isDirectory }) => !isDirectory).map(({ name }) => name);
  const spelled =
    misspelled(files, root + REQUIREMENTS_FILE) ??
    files.find((name) => name.toLowerCase() === `${root}requirement.txt`.toLowerCase());
  return spelled === undefined ? undefined : `${shown(spelled)} is there: rename it to ${REQUIREMENTS_FILE}`;
}

/** Where the wheels of a package without a wheels folder are. */
export function wheelsHint(entries: readonly ArchiveEntry[]): string | undefined {
  const wheel = entries.find(({ name }) => /\.whl$/i.test(name) && !isAppleDouble(baseOf(name)))?.name;
  if (wheel === undefined) return undefined;
  const folder = wheel.slice(0, wheel.lastIndexOf('/') + 1);
  return folder === ''
    ? `its wheels lie at its top: move them into a folder wheels/`
    : `its wheels lie in ${shown(folder)}: name that folder wheels/, at the top or in the project's folder`;
}

function misspelled(files: readonly string[], wanted: string): string | undefined {
  const base = baseOf(wanted);
  return files.find(
    (name) => name !== wanted && baseOf(name) !== base && baseOf(name).toLowerCase() === base,
  );
}

function baseOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}
