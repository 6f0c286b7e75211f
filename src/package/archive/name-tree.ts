/** A path, and what is there. */
export interface Named {
  readonly name: string;
  readonly isDirectory: boolean;
}

/**
 * The paths of an archive as the most forgetful file system would keep them: letter case and Unicode form are folded,
 * and characters without a width are dropped, so that two names meet here if they meet anywhere.
 */
export class NameTree<T extends Named = Named> {
  /** What was added, by its folded name: the look-up by name as well, as a second map would cost as much again. */
  readonly #files = new Map<string, T>();
  /** Those that are there only because something lies in them have their name alone. */
  readonly #folders = new Map<string, T | string>();
  /** Folders seen in exactly this spelling: most entries share their folder with the one before. */
  readonly #spelled = new Set<string>();

  /** Folders so far, those included that are there only because something lies in them. */
  get folderCount(): number {
    return this.#folders.size;
  }

  /** What was added with exactly this name. */
  get(name: string): T | undefined {
    const key = foldName(name);
    const found = this.#files.get(key) ?? this.#folders.get(key);
    return typeof found === 'object' && found.name === name ? found : undefined;
  }

  /**
   * Adds a path.
   * @returns what it collides with, or undefined when it stands alone.
   */
  add(item: T): string | undefined {
    const { name } = item;
    const parentEnd = name.lastIndexOf('/');
    return (
      (parentEnd > 0 ? this.#addFolder(name.slice(0, parentEnd)) : undefined) ??
      (item.isDirectory ? this.#putFolder(item) : this.#putFile(item))
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

  #putFile(item: T): string | undefined {
    const { name } = item;
    const key = foldName(name);
    const folder = this.#folders.get(key);
    if (folder !== undefined) return nameOf(folder) === name ? BOTH : collidesWith(nameOf(folder));
    const file = this.#files.get(key);
    if (file !== undefined) return file.name === name ? TWICE : collidesWith(file.name);
    this.#files.set(key, item);
    return undefined;
  }

  #putFolder(item: T): string | undefined {
    const key = foldName(item.name);
    const collision = this.#collisionOfFolder(key, item.name);
    if (collision !== undefined) return collision;
    if (typeof this.#folders.get(key) === 'object') return TWICE;
    this.#folders.set(key, item);
    return undefined;
  }

  #putImplied(name: string): string | undefined {
    const key = foldName(name);
    const collision = this.#collisionOfFolder(key, name);
    if (collision !== undefined) return collision;
    if (!this.#folders.has(key)) this.#folders.set(key, name);
    return undefined;
  }

  #collisionOfFolder(key: string, name: string): string | undefined {
    const file = this.#files.get(key);
    if (file !== undefined) return file.name === name ? BOTH : collidesWith(file.name);
    const folder = this.#folders.get(key);
    return folder === undefined || nameOf(folder) === name ? undefined : collidesWith(nameOf(folder));
  }
}

function nameOf(folder: Named | string): string {
  return typeof folder === 'string' ? folder : folder.name;
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
