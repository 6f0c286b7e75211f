import { rm } from 'node:fs/promises';
import { throwIfAborted, type OperationOptions } from '../abort.js';
import { Late } from '../late.js';
import { showAs } from '../readable.js';
import { checkPixels, resolveMeta } from './image-meta.js';
import { doors, type FramePoolOptions } from './options.js';
import type { OpenedFrames } from './opened-frames.js';
import { PooledFrame } from './pooled-frame.js';
import { closedError } from './pool-closed.js';
import type { Frame, FrameMeta, FrameUsage, ImageInput, SentImage } from './types.js';

export type { FramePoolOptions } from './options.js';

/**
 * Images in shared memory: a private folder of preallocated `.npy` slots that are reused. A host leases a frame and
 * fills it in place, or hands over bytes that are copied in once. With the optional package `koffi` the slots are
 * mapped, and filling one is all there is to do; without it they are written through the open file.
 */
export class FramePool implements AsyncDisposable {
  /** Group that may read the frames beside the host's user. */
  readonly gid: number | undefined;
  readonly #frames: Late<OpenedFrames>;
  #closed: Promise<void> | undefined;

  /** @throws RunnerError `invalid_params` for a bound that is none */
  constructor(options: FramePoolOptions = {}) {
    doors.framePool.check(options);
    const { maxBytes } = options;
    this.#frames = new Late(async () => {
      const { openFrames } = await import('./opened-frames.js');
      return openFrames(options);
    });
    this.gid = options.gid;
    showAs(this, 'FramePool', () => {
      const parts = this.#frames.made;
      const state = this.#closed ? 'closed' : parts ? 'open' : 'not opened yet';
      return { state, folder: parts?.folder, maxBytes, ...parts?.slots.usage };
    });
  }

  /**
   * Makes the folder if need be and gives its path: what workers get as `PROC_SHM_DIR`.
   *
   * @throws RunnerError `store_failed` when the system does not let it, `closed`
   */
  async open(o: OperationOptions = {}): Promise<string> {
    throwIfAborted(o.signal, 'opening of the frame pool');
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
   * `canDecode` is false, `invalid_image` for one that is damaged or of another size than it says
   */
  async send(image: ImageInput, o: OperationOptions & { canDecode?: boolean } = {}): Promise<SentImage> {
    if (image instanceof PooledFrame && image.pool === this) return image.send();
    if ('encoded' in image) {
      const { encoded } = await this.#open();
      return encoded.send(image, { canDecode: o.canDecode ?? false, signal: o.signal });
    }
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
  async usage(o: OperationOptions = {}): Promise<FrameUsage> {
    throwIfAborted(o.signal, 'look at the frame pool');
    return (await this.#open()).slots.usage;
  }

  /** Share of its bytes that frames in use take now, 0 to 1. */
  get load(): number {
    return this.#frames.made?.slots.load ?? 0;
  }

  /**
   * Removes every frame and the folder. Frames still leased become unusable, and a call that still runs with one ends
   * with `closed`: its worker may not find the image any more.
   */
  close(): Promise<void> {
    return (this.#closed ??= (async () => {
      const opened = await this.#frames.begun?.catch(() => undefined); // a folder that could not be made
      if (!opened) return;
      const { folder, slots, encoded } = opened;
      await slots.close();
      await encoded.settled();
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
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

  #open(): Promise<OpenedFrames> {
    if (this.#closed) return Promise.reject(closedError());
    return this.#frames.get();
  }
}
