import { read, type BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { FileRange } from '../archive-types.js';

/**
 * A file that is read at many positions side by side. It is read by callbacks: ten thousand headers that lie apart are
 * ten thousand reads, and each by a promise of its own leaves a kilobyte or more to the garbage collector.
 */
export class SharedFile {
  readonly #handle: FileHandle;
  #underWay = 0;
  #whenIdle: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  /** @param handle - closed by {@link close} */
  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Descriptor; -1 once it is closed. */
  get fd(): number {
    return this.#handle.fd;
  }

  /**
   * Reads ranges, of which there must be one, to lie one after the other in `into`.
   *
   * @param origin - of which the ranges' offsets count
   * @returns how many bytes there are in all: fewer than asked for where the file ends or the system gave less at once
   */
  readEach(ranges: readonly FileRange[], origin: number, into: Buffer): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#closing) throw new Error('it was closed');
      let left = ranges.length;
      let bytes = 0;
      let fault: Error | null = null;
      const done = (error: Error | null, bytesRead: number) => {
        fault ??= error;
        bytes += bytesRead;
        if (--left > 0) return;
        if (--this.#underWay === 0) this.#whenIdle?.();
        if (fault) reject(fault);
        else resolve(bytes);
      };
      this.#underWay++;
      let at = 0;
      ranges.forEach(({ offset, length }) => {
        read(this.#handle.fd, into, at, length, origin + offset, done);
        at += length;
      });
    });
  }

  /** Size and time of the last change. */
  async stamp(): Promise<string> {
    return stampOf(await this.#handle.stat({ bigint: true }));
  }

  /** Closes it when what is under way has ended: its number may be another file's a moment later. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      if (this.#underWay > 0) await new Promise<void>((resolve) => (this.#whenIdle = resolve));
      await this.#handle.close();
    })();
    return this.#closing;
  }
}

/** What changes with the content of a file, as far as its file system tells. */
export function stampOf({ size, mtimeNs }: BigIntStats): string {
  return `${size}:${mtimeNs}`;
}
