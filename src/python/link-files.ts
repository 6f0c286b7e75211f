import { constants, copyFile, link, unlink } from 'node:fs/promises';

/** How a file of the store gets into an environment. */
export type LinkMode = 'reflink' | 'hardlink' | 'copy';

/** What file systems answer when they cannot clone or link, or not between these two places. */
const CANNOT: Record<Exclude<LinkMode, 'copy'>, ReadonlySet<string>> = {
  reflink: new Set(['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV', 'EINVAL', 'ENOTTY', 'EPERM', 'EACCES']),
  hardlink: new Set(['EXDEV', 'EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EINVAL']),
};

/**
 * Puts files of the store into an environment with the least that the file systems allow: a clone that shares blocks
 * until it is written to, else a second name of the same read-only file, else a copy. What was found not to work is
 * not tried again.
 */
export class FileLinker {
  #mode: LinkMode;

  /** @param first - the first way to try */
  constructor(first: LinkMode = 'reflink') {
    this.#mode = first;
  }

  /**
   * A file that is there already is replaced: of two wheels with the same file, the later one wins.
   *
   * @returns the way this one took
   */
  async place(from: string, to: string): Promise<LinkMode> {
    try {
      return await this.#place(from, to);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      await unlink(to);
      return this.#place(from, to);
    }
  }

  async #place(from: string, to: string): Promise<LinkMode> {
    const mode = this.#mode;
    if (mode === 'copy') {
      await copyFile(from, to, constants.COPYFILE_EXCL);
      return mode;
    }
    try {
      if (mode === 'hardlink') await link(from, to);
      else await copyFile(from, to, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
      return mode;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      if (!CANNOT[mode].has(code)) throw error;
      if (code === 'EMLINK') {
        await copyFile(from, to, constants.COPYFILE_EXCL); // this file has all the names it can have, others not
        return 'copy';
      }
      this.#giveUp(mode);
      return this.#place(from, to);
    }
  }

  #giveUp(mode: LinkMode): void {
    // Several files are on their way at once: only the first that fails moves on.
    if (this.#mode === mode) this.#mode = mode === 'reflink' ? 'hardlink' : 'copy';
  }
}
