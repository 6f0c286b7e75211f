import { statfsSync, type StatsFs } from 'node:fs';
import { statfs } from 'node:fs/promises';
import path from 'node:path';
import { ERROR_NUMBERS, RunnerError, type RunnerErrorFacts } from '../errors.js';
import { errnoCode, isMissing } from './errno.js';

/** What something takes of a file system. */
export interface SpaceNeed {
  bytes: number;
  /** Files and folders: each takes an inode, and a file system may run out of these first. */
  files: number;
}

/**
 * Makes sure that the file system of `folder` (or of its nearest parent that exists) has this much left, of bytes and of
 * inodes.
 *
 * @returns what it has left; files are `Infinity` on a file system that makes inodes as it goes
 * @throws RunnerError `store_failed` with the two figures; its cause is an `ENOSPC`.
 */
export async function checkSpace(folder: string, need: SpaceNeed, what: string): Promise<SpaceNeed> {
  const { bavail, bsize, files, ffree } = await statNearest(folder);
  const left: SpaceNeed = { bytes: bavail * bsize, files: files === 0 ? Infinity : ffree };
  if (left.bytes < need.bytes) {
    throw tooLittle(
      folder,
      `There is not enough space for ${what}: it needs about ${megabytes(need.bytes)} and ${folder} has ` +
        `${megabytes(left.bytes)} left; free some, for example with prune()`,
      { neededBytes: need.bytes, availableBytes: left.bytes },
    );
  }
  if (left.files < need.files) {
    throw tooLittle(
      folder,
      `There are not enough inodes for ${what}: it makes about ${need.files} files and folders, and the file system of ` +
        `${folder} takes ${left.files} more, however many bytes are free; ${INODES_REMEDY}`,
      { neededFiles: need.files, availableFiles: left.files },
    );
  }
  return left;
}

const INODES_REMEDY =
  'remove many files there (a few large ones do not help), for example with prune(), or move the store to a file system with more inodes';

/**
 * What to do where the system answered `ENOSPC`: it says so for bytes and for inodes, and what helps against the one does
 * not help against the other.
 *
 * @param remedy - for bytes
 * @returns the empty string for another error
 */
export function fullDiskRemedy(error: unknown, remedy: string): string {
  if (errnoCode(error) !== 'ENOSPC') return '';
  const file = (error as NodeJS.ErrnoException).path;
  return `; ${file !== undefined && isOutOfInodes(file) ? `no inode is left: ${INODES_REMEDY}` : remedy}`;
}

function isOutOfInodes(file: string): boolean {
  for (let at = path.dirname(file); ; at = path.dirname(at)) {
    try {
      const { files, ffree } = statfsSync(at);
      return files > 0 && ffree === 0;
    } catch {
      if (path.dirname(at) === at) return false;
    }
  }
}

function tooLittle(
  folder: string,
  message: string,
  figures: Pick<RunnerErrorFacts, 'neededBytes' | 'availableBytes' | 'neededFiles' | 'availableFiles'>,
): RunnerError {
  const cause: NodeJS.ErrnoException = new Error(`ENOSPC: no space left on device, statfs '${folder}'`);
  cause.code = 'ENOSPC';
  return new RunnerError('store_failed', message, {
    cause,
    details: { path: folder, ...figures, stage: 'space' },
    errorCode: ERROR_NUMBERS.install_failed,
  });
}

async function statNearest(folder: string): Promise<StatsFs> {
  for (let at = folder; ; at = path.dirname(at)) {
    try {
      return await statfs(at);
    } catch (error) {
      if (!isMissing(error) || path.dirname(at) === at) throw error;
    }
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
