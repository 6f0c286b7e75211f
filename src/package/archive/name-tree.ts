import { isAscii } from './entry-name.js';
import { RENAME, type Fault } from './fault.js';

/** A path and the entry at it. */
export interface Named {
  readonly name: string;
  readonly isDirectory: boolean;
}

/**
 * The paths of an archive as the most forgetful file system would keep them: letter case and Unicode form are folded,
 * and characters without a width are dropped, so that two names meet here if they meet anywhere.
 */
export class NameTree<T extends Named = Named> {
  /**
   * Entries by folded name: an added entry (this is the look-up by name too), or the name of a folder that exists only
   * as the parent of an entry.
   */
  readonly #nodes = new Map<string, T | string>();
  #folderCount = 0;
  /** Folders seen in exactly this spelling: most entries share their folder with others. */
  readonly #spelled = new Set<string>();

  /** Folders so far, those included that are there only because something lies in them. */
  get folderCount(): number {
    return this.#folderCount;
  }

  /** What was added with exactly this name. */
  get(name: string): T | undefined {
    const found = this.#nodes.get(foldName(name));
    return typeof found === 'object' && found.name === name ? found : undefined;
  }

  /** Forgets what was added. */
  clear(): void {
    this.#nodes.clear();
    this.#spelled.clear();
    this.#folderCount = 0;
  }

  /**
   * Adds a path.
   * @returns what it collides with, or undefined when it stands alone.
   */
  add(item: T): Fault | undefined {
    const { name } = item;
    const parentEnd = name.lastIndexOf('/');
    return (parentEnd > 0 ? this.#addFolder(name.slice(0, parentEnd)) : undefined) ?? this.#put(item);
  }

  #addFolder(folder: string): Fault | undefined {
    if (this.#spelled.has(folder)) return undefined;
    const parentEnd = folder.lastIndexOf('/');
    const collision =
      (parentEnd > 0 ? this.#addFolder(folder.slice(0, parentEnd)) : undefined) ?? this.#putImplied(folder);
    if (collision === undefined) this.#spelled.add(folder);
    return collision;
  }

  #put(item: T): Fault | undefined {
    const { name, isDirectory } = item;
    const key = foldName(name);
    const there = this.#nodes.get(key);
    // Tools that merge archives write a folder once for each; every reader makes it once.
    if (isDirectory && typeof there === 'object' && there.isDirectory && there.name === name)
      return undefined;
    const wasImplied = isDirectory && there === name;
    if (there !== undefined && !wasImplied) return collisionWith(there, name, isDirectory);
    if (isDirectory && !wasImplied) this.#folderCount++;
    this.#nodes.set(key, item);
    return undefined;
  }

  #putImplied(name: string): Fault | undefined {
    const key = foldName(name);
    const there = this.#nodes.get(key);
    if (there !== undefined) {
      return isFolder(there) && nameOf(there) === name ? undefined : collisionWith(there, name, true);
    }
    this.#folderCount++;
    this.#nodes.set(key, name);
    return undefined;
  }
}

function nameOf(node: Named | string): string {
  return typeof node === 'string' ? node : node.name;
}

function isFolder(node: Named | string): boolean {
  return typeof node === 'string' || node.isDirectory;
}

function collisionWith(there: Named | string, name: string, isDirectory: boolean): Fault {
  const other = nameOf(there);
  if (other !== name) {
    const fault = `collides with ${JSON.stringify(other)} where letter case or Unicode form is folded`;
    return { fault, remedy: RENAME };
  }
  return isFolder(there) === isDirectory ? 'is there twice' : 'is a file and a folder at once';
}

/** Without the machinery of Unicode for what is ASCII, as nearly all names are, and at once for small letters. */
export function foldName(name: string): string {
  if (!CHANGED_BY_FOLDING.test(name)) return name;
  if (isAscii(name)) return name.toLowerCase();
  return name
    .normalize('NFD')
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .toUpperCase()
    .toLowerCase()
    .normalize('NFC');
}

/** What folding may change: capitals, and whatever is not ASCII. */
const CHANGED_BY_FOLDING = /[A-Z\u0080-\uffff]/;
