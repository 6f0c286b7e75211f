import type { ArchiveEntry } from '../archive-types.js';
import { nameFault } from './entry-name.js';
import { zipFault } from './fault.js';
import type { LoadedArchive } from './load-archive.js';
import { NameTree } from './name-tree.js';
import type { PlacedFile } from './unpack-plan.js';

/** Where everything goes: paths relative to the target, with `/` between segments. */
export interface Placement {
  /** Folders, each after the one it lies in. */
  folders: string[];
  /** Files in the order in which they lie in the archive. */
  files: PlacedFile[];
  /** Sum of the files' unpacked sizes. */
  bytes: number;
}

/**
 * Applies a mapping of entries to paths; without one they go where their names say. A mapping may bring together what
 * the archive kept apart, so its results are held to the same rules as names in an archive.
 *
 * @throws RunnerError `invalid_zip` when a path is unsafe or taken
 */
export function placeEntries(
  { source, inPlace, checker }: LoadedArchive,
  place: ((entry: ArchiveEntry) => string | undefined) | undefined,
): Placement {
  const names = place && new NameTree();
  const folders = new Set<string>();
  const files: PlacedFile[] = [];
  let bytes = 0;
  inPlace.forEach((entry) => {
    const to = place ? place(entry)?.replace(/\/+$/, '') : entry.name;
    // A folder may be mapped to the target itself: that is how a project folder is stripped.
    if (to === undefined || (to === '' && entry.isDirectory)) return;
    const fault = names && (nameFault(to) ?? names.add({ name: to, isDirectory: entry.isDirectory }));
    if (fault !== undefined) {
      const { fault: why, remedy } = typeof fault === 'string' ? { fault, remedy: undefined } : fault;
      const text = `cannot be unpacked to ${JSON.stringify(to)}: ${why}`;
      throw zipFault(source.path, text, entry.name, { remedy });
    }
    if (entry.isDirectory) {
      addFolder(folders, to);
    } else {
      addFolder(folders, parentOf(to));
      files.push({
        to,
        entry,
        offset: source.start + checker.dataStart(entry),
        length: entry.compressedBytes,
      });
      bytes += entry.sizeBytes;
    }
  });
  return { folders: [...folders], files, bytes };
}

/** Keeps the order of the set such that a folder comes after the one it lies in. */
function addFolder(folders: Set<string>, folder: string): void {
  if (folder === '' || folders.has(folder)) return;
  addFolder(folders, parentOf(folder));
  folders.add(folder);
}

function parentOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('/')));
}
