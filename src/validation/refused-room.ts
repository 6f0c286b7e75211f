import { statfs } from 'node:fs/promises';
import path from 'node:path';
import type { RunnerError } from '../errors.js';
import { refusalIn } from '../python/system-refusal.js';
import { fullDiskRemedy } from '../store/space.js';
import { installRefused } from '../store/store-error.js';

/** A block of a file or two: a disk with less takes no line of findings. */
const NO_ROOM_BYTES = 64 << 10;

/**
 * A failed trial whose Python was refused room, where a disk that it writes to has none: the fault is the station's
 * (`store_failed`), and the package may be right. A package that fills what it alone may write to keeps its failure, since
 * the disks of the station have room then.
 *
 * @param failure - of the trial, with Python's traceback and what it printed
 * @param folders - where the trial writes, while what it wrote is still there
 */
export async function asRefusedRoom(failure: RunnerError, folders: readonly string[]): Promise<RunnerError> {
  const { traceback = '', output = [] } = failure.details;
  const codes = [...output, ...traceback.split('\n')].map((line) => refusalIn(line)?.code);
  const code = codes.find((one) => one === 'ENOSPC' || one === 'EDQUOT');
  if (code === undefined) return failure;
  for (const folder of folders) {
    // A quota is the station's own, whatever else the disk has.
    if (code === 'ENOSPC' && !(await isFull(folder))) continue;
    const cause: NodeJS.ErrnoException = new Error(`no space left on the disk of ${folder}`);
    Object.assign(cause, { code, path: path.join(folder, 'findings.jsonl') });
    const remedy = fullDiskRemedy(cause, 'free some space, for example with prune(), and install it again');
    const what = `${failure.message}. The disk is full, so the package may be right: ${cause.message}${remedy}`;
    return installRefused(cause, what, failure.details);
  }
  return failure;
}

async function isFull(folder: string): Promise<boolean> {
  const { bavail, bsize, files, ffree } = await statfs(folder);
  return bavail * bsize < NO_ROOM_BYTES || (files > 0 && ffree === 0);
}
