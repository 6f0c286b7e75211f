import { open, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { syncFile } from '../../store/atomic-file.js';
import { writeWhole } from '../../store/write-whole.js';

/**
 * Room on the disk that is given back when the disk is full: LevelDB needs some to open again, to remove records, and to take
 * down what was delivered. Twice its log, of which it makes a table when it opens.
 */
const RESERVE_BYTES = 8 << 20;
/** What `stat` counts in. */
const BLOCK_BYTES = 512;
const PIECE = Buffer.alloc(1 << 20, 0x5a);

/** The file that holds room on the disk. */
export class Reserve {
  readonly #file: string;
  #isThere = false;

  constructor(folder: string) {
    this.#file = path.join(folder, 'reserve.bin');
  }

  get isThere(): boolean {
    return this.#isThere;
  }

  /** Takes the room, unless it has it. @throws an error of the system: `ENOSPC` while the disk is full */
  async take(): Promise<void> {
    if (this.#isThere) return;
    if (await this.#isWhole()) {
      this.#isThere = true;
      return;
    }
    const handle = await open(this.#file, 'w');
    try {
      // Written, not only named: a file of holes holds no room.
      for (let done = 0; done < RESERVE_BYTES; done += PIECE.length) await writeWhole(handle, PIECE);
      await syncFile(handle);
      this.#isThere = true;
    } finally {
      await handle.close();
      if (!this.#isThere) await this.give();
    }
  }

  /** Whether it was left by an earlier process: a file of holes is not. */
  async #isWhole(): Promise<boolean> {
    const found = await stat(this.#file).catch(() => undefined);
    return found?.size === RESERVE_BYTES && found.blocks * BLOCK_BYTES >= RESERVE_BYTES;
  }

  /** Gives the room back. */
  async give(): Promise<void> {
    this.#isThere = false;
    await rm(this.#file, { force: true });
  }
}
