import { rm, statfs, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import { defaultFrameRoot, makeFrameFolder } from './frame-folder.js';
import { checkPixels, resolveMeta, wireMeta } from './image-meta.js';
import { PooledFrame } from './pooled-frame.js';
import { loadMapper } from './memory-mapping.js';
import { SlotStore } from './slot-store.js';
import type { Frame, FrameMeta, FrameUsage, ImageInput, SentImage } from './types.js';

/** Options of a {@link FramePool}. */
export interface FramePoolOptions {
  /** Folder to make the pool's own folder in. @defaultValue `/dev/shm`, else the temp dir */
  directory?: string;
  /** Bytes that frames may take. @defaultValue 512 MiB, or three quarters of what is free if that is less */
  maxBytes?: number;
  /** Whether to map frames into memory where `koffi` is installed. @defaultValue true */
  mapped?: boolean;
}

const DEFAULT_MAX_BYTES = 512 * 1024 * 1024;

/**
 * Images in shared memory: a private folder of preallocated `.npy` slots that are reused. A host leases a frame and
 * fills it in place, or hands over bytes that are copied in once. With the optional package `koffi` the slots are
 * mapped, and filling one is all there is to do; without it they are written through the open file.
 */
export class FramePool implements AsyncDisposable {
  readonly #options: FramePoolOptions;
  #opened: Promise<{ folder: string; slots: SlotStore }> | undefined;
  #encoded = 0;
  #closed: Promise<void> | undefined;

  constructor(options: FramePoolOptions = {}) {
    this.#options = options;
  }

  /** Makes the folder if need be and gives its path: what workers get as `PROC_SHM_DIR`. */
  async open(): Promise<string> {
    return (await this.#open()).folder;
  }

  /**
   * A frame to be filled in place. Waits for one when the pool is full; what it held before is still in it.
   *
   * @throws RunnerError `invalid_image` for a shape that cannot be, `pool_full` when the image is larger than the
   * pool or there is no memory for it, `aborted`, `closed`
   */
  async lease(meta: FrameMeta, o: OperationOptions = {}): Promise<Frame> {
    return this.#lease(meta, o);
  }

  /**
   * Puts an image where a worker finds it: complete before this resolves. A frame of this pool is sent as it is,
   * anything else is copied once.
   *
   * @throws RunnerError as {@link FramePool.lease}; `frame_released`; `unsupported_image` for an encoded image when
   * `canDecode` is false
   */
  async send(image: ImageInput, o: OperationOptions & { canDecode?: boolean } = {}): Promise<SentImage> {
    if (image instanceof PooledFrame && image.pool === this) return image.send();
    if ('encoded' in image) return this.#sendEncoded(image, o.canDecode ?? false);
    const { data, meta } =
      'data' in image ? { data: image.data, meta: image } : { data: image.pixels, meta: image.meta };
    checkPixels(data, resolveMeta(meta));
    const frame = await this.#lease(meta, o);
    try {
      return await frame.sendCopyOf(data);
    } finally {
      frame.release(); // the slot is kept until the call is done
    }
  }

  /** Slots made, slots idle, bytes taken. */
  async usage(): Promise<FrameUsage> {
    return (await this.#open()).slots.usage;
  }

  /** Removes every frame and the folder. Frames still leased become unusable. */
  close(): Promise<void> {
    return (this.#closed ??= (async () => {
      if (!this.#opened) return;
      const { folder, slots } = await this.#opened;
      await slots.close();
      await rm(folder, { recursive: true, force: true });
    })());
  }

  /** See {@link FramePool.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #lease(meta: FrameMeta, { signal }: OperationOptions): Promise<PooledFrame> {
    const resolved = resolveMeta(meta);
    const { slots } = await this.#open();
    const { height, width, channels } = resolved;
    const slot = await slots.take({ height, width, channels }, signal);
    return new PooledFrame(this, slot, resolved, () => {
      slots.giveBack(slot);
    });
  }

  async #sendEncoded(image: { encoded: Uint8Array } & FrameMeta, canDecode: boolean): Promise<SentImage> {
    if (!canDecode) {
      throw new RunnerError(
        'unsupported_image',
        'An encoded image (JPEG, PNG) needs Pillow in the package, and its environment has none: hand the pixels over ' +
          'as { data }, or ask its maker to add Pillow. Without Pillow the SDK would inspect a black image',
      );
    }
    const meta = resolveMeta(image);
    const { folder } = await this.#open();
    const id = `e${++this.#encoded}`;
    const file = path.join(folder, `${id}.bin`);
    await writeFile(file, image.encoded, { flag: 'wx', mode: 0o600 });
    const remove = () => void unlink(file).catch(() => undefined);
    return {
      id,
      meta: wireMeta(meta),
      done: (until) => {
        if (until) void until.then(remove, remove);
        else remove();
      },
    };
  }

  #open(): Promise<{ folder: string; slots: SlotStore }> {
    if (this.#closed) return Promise.reject(new RunnerError('closed', 'The frame pool was closed'));
    return (this.#opened ??= (async () => {
      const { directory, mapped = true } = this.#options;
      const folder = await makeFrameFolder(directory ?? (await defaultFrameRoot()));
      const mapper = mapped ? await loadMapper() : undefined;
      return { folder, slots: new SlotStore(folder, await this.#maxBytes(folder), mapper) };
    })());
  }

  async #maxBytes(folder: string): Promise<number> {
    if (this.#options.maxBytes !== undefined) return this.#options.maxBytes;
    const { bavail, bsize } = await statfs(folder);
    return Math.min(DEFAULT_MAX_BYTES, Math.floor(bavail * bsize * 0.75));
  }
}
