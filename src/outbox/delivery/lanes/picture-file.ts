import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { nodeCrypto } from '../../../node-crypto.js';
import type { ArtifactRecord } from '../../records.js';
import type { DuePicture } from '../../types.js';
import type { OutgoingPicture } from '../targets/port.js';

/** A picture on the disk of the station, held against its digest each time it is read. */
export class PictureFile implements OutgoingPicture {
  readonly artifact: ArtifactRecord;
  readonly sha256: string;
  readonly isThumbnail: boolean;
  /** What was wrong with the file when it was read. */
  damage: string | undefined;
  readonly #file: string;

  constructor(artifact: ArtifactRecord, { file, digest, isThumbnail = false }: DuePicture) {
    this.artifact = artifact;
    this.sha256 = digest;
    this.isThumbnail = isThumbnail;
    this.#file = file;
  }

  /** What is wrong before anything is read: the length is sent first, and must be right. */
  async look(): Promise<string | undefined> {
    const { size } = await stat(this.#file).catch(() => ({ size: undefined }));
    if (size === undefined) return 'The file of the picture is gone';
    if (size === this.artifact.size_bytes) return undefined;
    return `The file of the picture has ${size} bytes, not the ${this.artifact.size_bytes} that were recorded`;
  }

  /** The last bytes come only after the digest of all was found right: what is damaged is never sent whole. */
  async *open(): AsyncGenerator<Uint8Array> {
    const hash = nodeCrypto().createHash('sha256');
    let held: Buffer | undefined;
    try {
      for await (const chunk of createReadStream(this.#file) as AsyncIterable<Buffer>) {
        hash.update(chunk);
        if (held) yield held;
        held = chunk;
      }
    } catch (error) {
      this.damage = `The file of the picture cannot be read: ${(error as Error).message}`;
      throw error;
    }
    if (hash.digest('hex') !== this.sha256) {
      this.damage = 'The file of the picture is not what was recorded: its digest differs';
      throw new Error(this.damage);
    }
    if (held) yield held;
  }
}
