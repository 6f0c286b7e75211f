import { openArchive } from '../../package/archive/open-archive.js';
import type { Archive } from '../../package/archive-types.js';

/** Reading the directory of a large zip takes as long as reading many of its files. */
const MOST_OPEN = 4;
/** After so long without a use a zip is closed, so that it can be moved and removed on every system. */
const IDLE_MS = 5_000;

interface OpenZip {
  archive: Promise<Archive>;
  users: number;
  timer: NodeJS.Timeout | undefined;
}

/** Zips that are open because somebody reads them, and for a short time after. */
export class OpenArchives implements AsyncDisposable {
  readonly #open = new Map<string, OpenZip>();
  readonly #closing = new Set<Promise<void>>();

  /**
   * Uses a zip.
   *
   * @param mark - what tells this content of the file from another
   * @param work - must not keep the archive
   */
  async *use<T>(file: string, mark: string, work: (archive: Archive) => AsyncIterable<T>): AsyncGenerator<T> {
    const key = `${mark} ${file}`;
    const zip = this.#open.get(key) ?? this.#begin(key, file);
    zip.users++;
    clearTimeout(zip.timer);
    try {
      yield* work(await zip.archive);
    } finally {
      zip.users--;
      if (zip.users === 0) this.#rest(key, zip);
    }
  }

  /** Closes all. Nothing may be in use. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const [key, zip] of this.#open) this.#end(key, zip);
    await Promise.all(this.#closing);
  }

  #begin(key: string, file: string): OpenZip {
    const zip: OpenZip = { archive: openArchive(file), users: 0, timer: undefined };
    this.#open.set(key, zip);
    zip.archive.catch(() => this.#open.delete(key));
    return zip;
  }

  #rest(key: string, zip: OpenZip): void {
    if (this.#open.get(key) !== zip) return; // it could not be opened
    zip.timer = setTimeout(() => {
      this.#end(key, zip);
    }, IDLE_MS);
    zip.timer.unref();
    if (this.#open.size <= MOST_OPEN) return;
    const idle = [...this.#open].find(([, one]) => one.users === 0);
    if (idle) this.#end(...idle);
  }

  #end(key: string, zip: OpenZip): void {
    clearTimeout(zip.timer);
    this.#open.delete(key);
    const closed = zip.archive.then((archive) => archive.close()).catch(() => undefined);
    this.#closing.add(closed);
    void closed.then(() => this.#closing.delete(closed));
  }
}
