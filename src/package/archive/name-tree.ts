/**
 * The paths of an archive as the most forgetful file system would keep them: letter case and Unicode form are folded,
 * and characters without a width are dropped, so that two names meet here if they meet anywhere.
 */
export class NameTree {
  /** Names as written by their folded form; strings alone, for there may be very many. */
  readonly #files = new Map<string, string>();
  readonly #folders = new Map<string, string>();
  /** Folders that are there only because something lies in them. */
  readonly #implied = new Set<string>();
  /** Folders seen in exactly this spelling: most entries share their folder with the one before. */
  readonly #spelled = new Set<string>();

  /** Folders so far, those included that are there only because something lies in them. */
  get folderCount(): number {
    return this.#folders.size;
  }

  /**
   * Adds a path.
   * @returns what it collides with, or undefined when it stands alone.
   */
  add(name: string, isDirectory: boolean): string | undefined {
    const parentEnd = name.lastIndexOf('/');
    return (
      (parentEnd > 0 ? this.#addFolder(name.slice(0, parentEnd)) : undefined) ??
      (isDirectory ? this.#putFolder(name) : this.#putFile(name))
    );
  }

  #addFolder(folder: string): string | undefined {
    if (this.#spelled.has(folder)) return undefined;
    const parentEnd = folder.lastIndexOf('/');
    const collision =
      (parentEnd > 0 ? this.#addFolder(folder.slice(0, parentEnd)) : undefined) ?? this.#putImplied(folder);
    if (collision === undefined) this.#spelled.add(folder);
    return collision;
  }

  #putFile(name: string): string | undefined {
    const key = foldName(name);
    const folder = this.#folders.get(key);
    if (folder !== undefined) return folder === name ? BOTH : collidesWith(folder);
    const file = this.#files.get(key);
    if (file !== undefined) return file === name ? TWICE : collidesWith(file);
    this.#files.set(key, name);
    return undefined;
  }

  #putFolder(name: string): string | undefined {
    const key = foldName(name);
    const collision = this.#collisionOfFolder(key, name);
    if (collision !== undefined) return collision;
    if (this.#folders.has(key)) return this.#implied.delete(key) ? undefined : TWICE;
    this.#folders.set(key, name);
    return undefined;
  }

  #putImplied(name: string): string | undefined {
    const key = foldName(name);
    const collision = this.#collisionOfFolder(key, name);
    if (collision !== undefined) return collision;
    if (!this.#folders.has(key)) {
      this.#folders.set(key, name);
      this.#implied.add(key);
    }
    return undefined;
  }

  #collisionOfFolder(key: string, name: string): string | undefined {
    const file = this.#files.get(key);
    if (file !== undefined) return file === name ? BOTH : collidesWith(file);
    const folder = this.#folders.get(key);
    return folder === undefined || folder === name ? undefined : collidesWith(folder);
  }
}

const TWICE = 'is there twice';
const BOTH = 'is a file and a folder at once';

function collidesWith(other: string): string {
  return `collides with ${JSON.stringify(other)} where letter case or Unicode form is folded`;
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
