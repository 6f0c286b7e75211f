/** What stands at a path. A folder may be there only because something lies in it. */
type Kind = 'file' | 'folder' | 'implied folder';

interface Node {
  name: string;
  kind: Kind;
}

/**
 * The paths of an archive as the most forgetful file system would keep them: letter case and Unicode form are folded,
 * and characters without a width are dropped, so that two names meet here if they meet anywhere.
 */
export class NameTree {
  readonly #nodes = new Map<string, Node>();
  /** Folders seen in exactly this spelling: most entries share their folder with the one before. */
  readonly #spelled = new Set<string>();

  /**
   * Adds a path.
   * @returns what it collides with, or undefined when it stands alone.
   */
  add(name: string, isDirectory: boolean): string | undefined {
    const parentEnd = name.lastIndexOf('/');
    return (
      (parentEnd > 0 ? this.#addFolder(name.slice(0, parentEnd)) : undefined) ??
      this.#put(name, isDirectory ? 'folder' : 'file')
    );
  }

  #addFolder(folder: string): string | undefined {
    if (this.#spelled.has(folder)) return undefined;
    const parentEnd = folder.lastIndexOf('/');
    const collision =
      (parentEnd > 0 ? this.#addFolder(folder.slice(0, parentEnd)) : undefined) ??
      this.#put(folder, 'implied folder');
    if (collision === undefined) this.#spelled.add(folder);
    return collision;
  }

  #put(name: string, kind: Kind): string | undefined {
    const key = foldName(name);
    const there = this.#nodes.get(key);
    if (!there) {
      this.#nodes.set(key, { name, kind });
      return undefined;
    }
    if (there.name !== name)
      return `collides with ${JSON.stringify(there.name)} where letter case or Unicode form is folded`;
    if (kind === 'file' && there.kind === 'file') return 'is there twice';
    if (kind === 'file' || there.kind === 'file') return 'is a file and a folder at once';
    if (kind === 'folder') {
      if (there.kind === 'folder') return 'is there twice';
      there.kind = 'folder';
    }
    return undefined;
  }
}

/** ASCII letters are folded without the machinery of Unicode: nearly all names are ASCII. */
export function foldName(name: string): string {
  // eslint-disable-next-line no-control-regex -- the range is ASCII
  if (/^[\u0000-\u007f]*$/.test(name)) return name.toLowerCase();
  return name
    .normalize('NFD')
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .toUpperCase()
    .toLowerCase()
    .normalize('NFC');
}
