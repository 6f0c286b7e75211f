import { readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import { RunnerError } from '../../errors.js';
import { isMissing } from '../../store/errno.js';
import { asStoreError } from '../../store/store-error.js';
import { readRequirementTree, type RequirementTree } from '../../package/requirement-tree.js';
import { refusedLinesError } from '../../package/requirements.js';

/**
 * Reads a requirements file with what it includes, and refuses every line that would leave the package: an index, a URL,
 * a path, an editable project, an include from elsewhere.
 *
 * @throws RunnerError `install_failed` naming the line, or the file that cannot be read
 */
export async function readRequirements(file: string): Promise<RequirementTree> {
  const root = await realpath(path.dirname(file)).catch(() => path.dirname(file));
  let fault: unknown;
  const tree = await readRequirementTree(path.basename(file), async (name) => {
    try {
      const target = await realpath(path.join(root, name));
      // A link may lead out of the package.
      if (path.relative(root, target).startsWith('..')) return undefined;
      return await readFile(target);
    } catch (error) {
      fault ??= error;
      return undefined;
    }
  });
  if (tree.refused.length > 0) throw refusedLinesError(file, tree.refused);
  if (fault !== undefined && !isMissing(fault)) throw asStoreError(fault, `read ${file}`);
  const [unreadable] = tree.unreadable;
  if (unreadable !== undefined || tree.isTooMany) {
    const why =
      unreadable === undefined
        ? 'too many files include each other'
        : `${unreadable} is not in the package, or neither UTF-8 nor GBK text`;
    throw new RunnerError(
      'install_failed',
      `The requirements ${file} cannot be read: ${why}. Save them as UTF-8`,
      {
        cause: fault,
        details: { path: file },
      },
    );
  }
  return tree;
}
