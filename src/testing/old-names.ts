/** Names that the test kit still has for one minor version. */
import type { FileStepPlan, FileSteps } from './file-steps/types.js';
import { watchFileSteps as watch } from './file-steps/watch-file-steps.js';

/**
 * Counts every file-system call of this process that changes something below a folder, and makes one of them fail, or
 * ends the process at it.
 *
 * @deprecated It goes with its types after this minor version, without a successor: it replaces functions of Node, which only the
 * tests of this library need. To test a host on a disk that fails, give it a store on a small or read-only file system.
 */
export function watchFileSteps(root: string, plan?: FileStepPlan): FileSteps {
  return watch(root, plan);
}
