import path from 'node:path';
import type { PackageInspection } from '../package/types.js';
import type { InterpreterNeed } from '../python/types.js';

/** The interpreter that an inspected package, unpacked in `root`, is to be installed with. */
export function interpreterNeed(
  root: string,
  { wheels, python, interpreter }: Pick<PackageInspection, 'wheels' | 'python' | 'interpreter'>,
): InterpreterNeed {
  const { pythonVersion, embedded } = python;
  return {
    wheels,
    pythonVersion,
    // The inspection knows which wheels are required at all: one for another system is no fault.
    ...(embedded === undefined ? { compatible: interpreter?.path } : { embedded: path.join(root, embedded) }),
  };
}
