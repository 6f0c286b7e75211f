import { open, rm } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted } from '../../../abort.js';
import { nodeCrypto } from '../../../node-crypto.js';
import { makeFolder, renameOver, syncFile, syncFolder } from '../../../store/atomic-file.js';
import { errnoCode } from '../../../store/errno.js';
import { writeWhole } from '../../../store/write-whole.js';
import { artifactName, batchName, pictureName } from './layout.js';
import {
  aboutOf,
  linesOf,
  piecesOf,
  PIECE_BYTES,
  PLATFORM_LIMITS,
  TAKEN,
  type Attempt,
  type DeliveryTarget,
  type OutgoingPicture,
  type OutgoingRecord,
  type Outcome,
} from './port.js';

/**
 * A folder: a share of the plant, or a stick. Each file appears whole or not at all, and is on the disk before it counts as taken.
 */
export class FolderTarget implements DeliveryTarget {
  readonly title: string;
  readonly limits = { ...PLATFORM_LIMITS, records: 1_000 };
  readonly #root: string;

  constructor(root: string) {
    this.#root = path.resolve(root);
    this.title = this.#root;
  }

  async sendRecords(records: readonly OutgoingRecord[], attempt: Attempt): Promise<Outcome> {
    return this.#outcome(async () => {
      const lines = linesOf(records);
      await this.#write(this.#at(batchName(records)), once(lines), attempt);
    });
  }

  async sendPicture(picture: OutgoingPicture, attempt: Attempt): Promise<Outcome> {
    const { artifact } = picture;
    return this.#outcome(async () => {
      const file = pictureName(artifact);
      await this.#write(this.#at(file), piecesOf(picture.open(), PIECE_BYTES * 16), attempt);
      const index = Buffer.from(`${JSON.stringify({ ...aboutOf(picture), file })}\n`);
      await this.#write(this.#at(artifactName(artifact)), once(index), attempt);
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #at(name: string): string {
    return path.join(this.#root, ...name.split('/'));
  }

  async #write(file: string, pieces: Pieces, attempt: Attempt): Promise<void> {
    const folder = path.dirname(file);
    await makeFolder(folder);
    const temporary = path.join(folder, `.${path.basename(file)}.${nodeCrypto().randomUUID()}.tmp`);
    try {
      const handle = await open(temporary, 'wx');
      try {
        for await (const piece of pieces) {
          await attempt.pace(piece.length);
          throwIfAborted(attempt.signal, 'copy');
          await writeWhole(handle, piece);
        }
        await syncFile(handle);
      } finally {
        await handle.close();
      }
      // An attempt that was left behind on a share that hung must not replace what a later one has written.
      throwIfAborted(attempt.signal, 'copy');
      await renameOver(temporary, file); // a scanner or a reader has it open for a while (Windows)
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
    await syncFolder(folder);
  }

  /** A disk that is full, gone or read-only says nothing about a record. */
  async #outcome(work: () => Promise<void>): Promise<Outcome> {
    try {
      await work();
      return TAKEN;
    } catch (error) {
      const cause = ['EACCES', 'EPERM', 'EROFS'].includes(errnoCode(error) ?? '') ? 'credentials' : 'network';
      return { state: 'failed', cause, reason: `${this.#root}: ${(error as Error).message}` };
    }
  }
}

type Pieces = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

function once(bytes: Uint8Array): Pieces {
  return [bytes];
}
