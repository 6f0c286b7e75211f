import { chmod, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { RunnerError } from '../errors.js';
import { readEncoded } from './encoded-image.js';
import { FRAME_MODE } from './frame-folder.js';
import { invalidImage, resolveMeta } from './image-meta.js';
import { sentImage } from './sent-image.js';
import { closedError } from './pool-closed.js';
import { noRoom, type SlotStore } from './slot-store.js';
import type { FrameMeta, SentImage } from './types.js';

/** Encoded images of a pool: a `.bin` file each, within the bound that the slots have. */
export class EncodedStore {
  readonly #folder: string;
  readonly #slots: SlotStore;
  readonly #writing = new Set<Promise<void>>();
  #made = 0;

  constructor(folder: string, slots: SlotStore) {
    this.#folder = folder;
    this.#slots = slots;
  }

  /**
   * Puts an image where a worker that has Pillow finds it.
   *
   * @throws RunnerError `unsupported_image` when `canDecode` is false, `invalid_image` for one that is damaged or of
   * another size than it says, `pool_full`, `aborted`, `closed`
   */
  async send(
    image: { encoded: Uint8Array } & FrameMeta,
    o: { canDecode: boolean; signal: AbortSignal | undefined },
  ): Promise<SentImage> {
    if (!o.canDecode) {
      throw new RunnerError(
        'unsupported_image',
        'An encoded image (JPEG, PNG) needs Pillow in the package, and its environment has none: hand the pixels over ' +
          'as { data }, or ask its maker to add Pillow. Without Pillow the SDK would inspect a black image',
      );
    }
    const meta = resolveMeta(image);
    checkEncoded(image.encoded, meta);
    const bytes = image.encoded.byteLength;
    await this.#slots.reserve(bytes, o.signal);
    const id = `e${++this.#made}`;
    const file = path.join(this.#folder, `${id}.bin`);
    const remove = () => {
      void unlink(file)
        .catch(() => undefined)
        .then(() => {
          this.#slots.unreserve(bytes);
        });
    };
    const writing = writeFile(file, image.encoded, { flag: 'wx', mode: FRAME_MODE }).then(() =>
      chmod(file, FRAME_MODE),
    );
    this.#writing.add(writing);
    try {
      await writing;
      if (this.#slots.isClosed) throw closedError();
    } catch (cause) {
      remove();
      throw RunnerError.is(cause) ? cause : noRoom(bytes, this.#folder, cause);
    } finally {
      this.#writing.delete(writing);
    }
    return sentImage({ id, meta, isLost: () => this.#slots.isClosed, letGo: remove });
  }

  /** Resolves when no file is being written any more. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#writing);
  }
}

function checkEncoded(encoded: Uint8Array, { width, height }: Required<FrameMeta>): void {
  const reading = readEncoded(encoded);
  if ('fault' in reading) throw invalidImage(`encoded ${reading.fault}`, 'encoded');
  if (reading.width !== width || reading.height !== height) {
    throw invalidImage(
      `encoded is of ${reading.width} x ${reading.height} pixels, the call says ${width} x ${height}`,
      'encoded',
    );
  }
}
