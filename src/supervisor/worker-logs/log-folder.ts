import { appendFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { WorkerLogOptions } from './types.js';

const DEFAULTS: Required<WorkerLogOptions> = {
  enabled: true,
  maxBytes: 8 * 2 ** 20,
  maxTotalBytes: 256 * 2 ** 20,
  maxDays: 14,
};
const DAY_MS = 86_400_000;
/** How often files are looked over for their age and their sum. */
const PRUNE_EVERY_MS = 3_600_000;

/** Fills in the defaults. */
export function resolveLogOptions(given: WorkerLogOptions = {}): Required<WorkerLogOptions> {
  const { enabled, maxBytes, maxTotalBytes, maxDays } = given;
  return {
    enabled: enabled ?? DEFAULTS.enabled,
    maxBytes: maxBytes ?? DEFAULTS.maxBytes,
    maxTotalBytes: maxTotalBytes ?? DEFAULTS.maxTotalBytes,
    maxDays: maxDays ?? DEFAULTS.maxDays,
  };
}

/** The files of worker logs, bounded in bytes and days. One writes at a time. */
export class LogFolder {
  readonly #folder: string;
  readonly #bounds: Required<WorkerLogOptions>;
  /** By path, as far as known. */
  readonly #sizes = new Map<string, number>();
  #prunedAt = -Infinity;

  /** @param folder - made when something is written, unless the store is gone */
  constructor(folder: string, bounds: Required<WorkerLogOptions>) {
    this.#folder = folder;
    this.#bounds = bounds;
  }

  /** Appends lines to the file of a worker. @throws what the file system says */
  async append(name: string, version: string, worker: string, text: string): Promise<void> {
    const folder = path.join(this.#folder, name, version);
    const file = path.join(folder, `${worker}.jsonl`);
    let size = this.#sizes.get(file);
    if (size === undefined) {
      await this.#make(folder);
      size = await stat(file).then(
        (found) => found.size,
        () => 0,
      );
    }
    const bytes = Buffer.byteLength(text);
    if (size > 0 && size + bytes > this.#bounds.maxBytes) {
      const isMoved = await rename(file, path.join(folder, `${worker}.1.jsonl`)).then(
        () => true,
        (error: unknown) => {
          // Windows renames no file that a viewer has open: until it is closed the file grows, within the bytes of all.
          if (size !== undefined && size + bytes <= this.#bounds.maxTotalBytes) return false;
          throw error;
        },
      );
      if (isMoved) size = 0;
    }
    this.#sizes.delete(file); // unknown while it is written, and if that fails
    await appendFile(file, text);
    this.#sizes.set(file, size + bytes);
    if (performance.now() - this.#prunedAt > PRUNE_EVERY_MS) await this.prune();
  }

  /** Removes files that are too old, then the oldest until the rest is within bounds. */
  async prune(): Promise<void> {
    this.#prunedAt = performance.now();
    const files: { file: string; bytes: number; writtenAt: number }[] = [];
    for (const name of await readdir(this.#folder, { recursive: true })) {
      if (!name.endsWith('.jsonl')) continue;
      const file = path.join(this.#folder, name);
      const found = await stat(file).catch(() => undefined);
      if (found) files.push({ file, bytes: found.size, writtenAt: found.mtimeMs });
    }
    files.sort((a, b) => b.writtenAt - a.writtenAt);
    let sum = 0;
    for (const { file, bytes, writtenAt } of files) {
      sum += bytes;
      if (Date.now() - writtenAt <= this.#bounds.maxDays * DAY_MS && sum <= this.#bounds.maxTotalBytes)
        continue;
      // A file that a viewer has open on Windows goes the next time: it keeps no line from being written, no other file here.
      await rm(file, { force: true }).catch(() => undefined);
      this.#sizes.delete(file);
    }
  }

  /** Folder by folder from the store's own: a store that was removed does not come back by its logs. */
  async #make(folder: string): Promise<void> {
    const root = path.dirname(path.dirname(this.#folder));
    let made = root;
    for (const part of path.relative(root, folder).split(path.sep)) {
      made = path.join(made, part);
      await mkdir(made).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      });
    }
  }
}
