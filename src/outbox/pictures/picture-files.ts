import { rm } from 'node:fs/promises';
import path from 'node:path';
import { nodeCrypto } from '../../node-crypto.js';
import { writeFileAtomic } from '../../store/atomic-file.js';
import { namesIn } from '../../store/names-in.js';

/**
 * Pictures as files, each named by the SHA-256 of its bytes. A file is whole and on the disk before the record that names it is
 * written, and goes after that record: what a power cut leaves between the two is a file that no record names.
 */
export class PictureFiles {
  readonly #folder: string;
  /** How many records name a file, those that are being written included. */
  readonly #uses = new Map<string, number>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Path of a file. */
  pathOf(digest: string): string {
    return path.join(this.#folder, digest.slice(0, 2), digest);
  }

  /** A record names it. */
  use(digest: string): void {
    this.#uses.set(digest, (this.#uses.get(digest) ?? 0) + 1);
  }

  /**
   * Writes a picture; it is on the disk when this resolves, and counts as used.
   * @throws an error of the system
   */
  async add(bytes: Uint8Array): Promise<{ digest: string; bytes: number }> {
    const digest = nodeCrypto().createHash('sha256').update(bytes).digest('hex');
    this.use(digest);
    try {
      // Also where it is there: it may be on its way out, or not on the disk yet.
      await writeFileAtomic(this.pathOf(digest), bytes);
    } catch (error) {
      await this.release(digest);
      throw error;
    }
    return { digest, bytes: bytes.length };
  }

  /** A record names it no more; the file goes with the last. */
  async release(digest: string): Promise<void> {
    const uses = (this.#uses.get(digest) ?? 1) - 1;
    if (uses > 0) {
      this.#uses.set(digest, uses);
      return;
    }
    this.#uses.delete(digest);
    await rm(this.pathOf(digest), { force: true }).catch(() => undefined); // the next open collects it
  }

  /** Removes the files that no record names. */
  async collect(): Promise<void> {
    for (const part of await namesIn(this.#folder)) {
      const folder = path.join(this.#folder, part);
      for (const name of await namesIn(folder)) {
        if (!this.#uses.has(name)) await rm(path.join(folder, name), { recursive: true, force: true });
      }
    }
  }
}
