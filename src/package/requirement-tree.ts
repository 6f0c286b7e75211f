import path from 'node:path';
import { decodeRequirements } from './requirement-lines.js';
import { parseRequirements, type RefusedLine } from './requirements.js';
import type { Requirement } from './types.js';

/** Files that include each other; a package has one, rarely two. */
const MOST_FILES = 50;

/** What a requirements file says, with all that it includes. */
export interface RequirementTree {
  /** In the order in which pip reads them. */
  requirements: Requirement[];
  /** They limit versions and require nothing. */
  constraints: Requirement[];
  /** Options that change the choice: `--pre`, `--require-hashes`. */
  options: string[];
  refused: RefusedLine[];
  /** Files that are not there, or are no text. */
  unreadable: string[];
  /** Whether more files include each other than are read. */
  isTooMany: boolean;
}

/**
 * Reads a requirements file and the files of the package that it includes (`-r`, `-c`), each once. `read` gives the content
 * of one by its path with `/`, undefined where it is not there.
 */
export async function readRequirementTree(
  first: string,
  read: (name: string) => Promise<Uint8Array | undefined>,
): Promise<RequirementTree> {
  const tree: RequirementTree = {
    ...{ requirements: [], constraints: [], options: [], refused: [], unreadable: [], isTooMany: false },
  };
  const seen = new Set<string>();
  const visit = async (name: string, into: 'requirements' | 'constraints'): Promise<void> => {
    const key = `${into} ${name}`;
    if (seen.has(key) || tree.isTooMany) return;
    seen.add(key);
    if (seen.size > MOST_FILES) {
      tree.isTooMany = true;
      return;
    }
    const bytes = await read(name);
    const text = bytes && decodeRequirements(bytes);
    if (text === undefined) {
      tree.unreadable.push(name);
      return;
    }
    const { requirements, includes, options, refused } = parseRequirements(text);
    tree.refused.push(...refused.map((line) => (name === first ? line : { ...line, file: name })));
    tree.options.push(...options);
    const folder = name.slice(0, name.lastIndexOf('/') + 1);
    let from = 0;
    for (const { file, kind, before } of includes) {
      tree[into].push(...requirements.slice(from, before));
      from = before;
      const target = path.posix.normalize(folder + file);
      // What constraints include are constraints.
      await visit(target, into === 'constraints' ? into : kind);
    }
    tree[into].push(...requirements.slice(from));
  };
  await visit(first, 'requirements');
  return tree;
}
