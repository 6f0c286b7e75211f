import { stat } from 'node:fs/promises';
import type { OperationOptions } from '../../abort.js';
import { readJson, writeJsonAtomic } from '../../store/atomic-file.js';
import { hashFile } from '../../store/hash-file.js';

/** Hashes that are kept; the oldest go. */
const MOST = 2_000;

/**
 * SHA-256 of files, remembered by what tells a file's content apart without reading it: device, inode, size, and the
 * times of the last change of content and of anything. A lost or stale memory costs time, never correctness.
 */
export class FileHashes {
  readonly #file: string;
  #known: Promise<Map<string, string>> | undefined;
  #isChanged = false;

  constructor(file: string) {
    this.#file = file;
  }

  /** Hash of a file, in lower-case hex. */
  async get(file: string, options: OperationOptions = {}): Promise<string> {
    const before = await mark(file);
    const known = await (this.#known ??= this.#load());
    const remembered = known.get(before);
    if (remembered !== undefined) return remembered;
    const sha256 = await hashFile(file, options);
    if ((await mark(file)) === before) {
      known.set(before, sha256);
      this.#isChanged = true;
    }
    return sha256;
  }

  /** Writes what was learned; another process's additions in the meantime may be lost, and are learned again. */
  async save(): Promise<void> {
    if (!this.#isChanged) return;
    this.#isChanged = false;
    const known = (await this.#known) ?? new Map<string, string>();
    await writeJsonAtomic(this.#file, Object.fromEntries([...known].slice(-MOST)), 'none');
  }

  async #load(): Promise<Map<string, string>> {
    const value = await readJson(this.#file).catch(() => undefined);
    const pairs = typeof value === 'object' && value !== null ? Object.entries(value) : [];
    return new Map(pairs.filter((pair): pair is [string, string] => typeof pair[1] === 'string'));
  }
}

async function mark(file: string): Promise<string> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
  return [dev, ino, size, mtimeNs, ctimeNs].join('/');
}
