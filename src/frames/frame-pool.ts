import path from 'node:path';
import { throwIfAborted, type OperationOptions } from '../abort.js';
import { useAssets } from '../assets.js';
import { RunnerError } from '../errors.js';
import { showAs } from '../readable.js';
import { removeTree } from '../store/remove-tree.js';
import { checkWay } from './check-image.js';
import { readEncoded, type EncodedPicture } from './encoded-input.js';
import { checkHandedOn, HandedOnPicture } from './handed-on.js';
import { doors, type FramePoolOptions } from './options.js';
import type { OpenedFrames } from './opened-frames.js';
import { layoutOf, sourceOf } from './pixels/layout.js';
import type { Layout, PixelSource } from './pixels/source.js';
import { PooledFrame } from './pooled-frame.js';
import { methodOf, type ProofMethod, type ProofPolicy } from './proof.js';
import { closedError } from './pool-closed.js';
import { sentImage } from './sent-image.js';
import type { Shape, Slot } from './slot.js';
import type { EncodedInput, Frame, FrameMeta, FrameUsage, ImageInput, SentImage } from './types.js';

export type { FramePoolOptions } from './options.js';

interface WaitOptions extends OperationOptions {
  /** Called before a wait for room. */
  onWait?: () => void;
}

/**
 * Images in shared memory: slots that are reused, each with the content of a `.npy` file. A host leases a frame and fills
 * it in place, or hands over bytes that are copied in once. With the optional package `koffi` the slots are sealed memory
 * that workers map, and filling one is all there is to do; without it each is written to a file before a call.
 */
export class FramePool implements AsyncDisposable {
  /** Group that may read the frames beside the host's user. */
  readonly gid: number | undefined;
  /**
   * As the options were given.
   * @internal
   */
  readonly given: FramePoolOptions;
  #opening: Promise<OpenedFrames> | undefined;
  #opened: OpenedFrames | undefined;
  #closed: Promise<void> | undefined;
  #places = 0;
  #inStore: string | undefined;
  #handedOn = 0;

  /** @throws RunnerError `invalid_params` for a bound that is none */
  constructor(options: FramePoolOptions = {}) {
    doors().framePool.check(options);
    useAssets(options.assets);
    this.given = { ...options };
    this.gid = options.gid;
    showAs(this, 'FramePool', () => {
      const opened = this.#opened;
      const state = this.#closed ? 'closed' : opened ? 'open' : 'not opened yet';
      return { state, folder: opened?.folder.path, maxBytes: options.maxBytes, ...opened?.slots.usage };
    });
  }

  /**
   * Where its folder lies, if the options name none and the system has no folder in memory. The first to say so is heeded.
   * @internal
   */
  keepIn(folder: string): void {
    this.#inStore ??= folder;
  }

  /**
   * Makes the folder if need be and gives its path: what workers get as `PROC_SHM_DIR`.
   *
   * @throws RunnerError `store_failed` when the system does not let it, `closed`
   */
  async open(o: OperationOptions = {}): Promise<string> {
    throwIfAborted(o.signal, 'opening of the frame pool');
    return (await this.#open()).folder.path;
  }

  /**
   * Makes a folder below that of the pool, for the workers of one deployment alone, and gives its path: what they get as
   * `PROC_SHM_DIR`.
   *
   * @throws RunnerError as {@link FramePool.open}
   */
  async place(title: string, o: OperationOptions = {}): Promise<string> {
    throwIfAborted(o.signal, 'making of a folder for frames');
    const { folder } = await this.#open();
    const name = `${++this.#places}-${title.replaceAll(/[^a-zA-Z0-9._-]/g, '_').slice(0, 80)}`;
    const place = path.join(folder.path, name);
    try {
      await folder.ensure(place);
    } catch (cause) {
      throw new RunnerError(
        'store_failed',
        `No folder for the frames of ${title} can be made in ${folder.path}: ${(cause as Error).message}. Give FramePool another directory`,
        { cause, details: { path: place } },
      );
    }
    return place;
  }

  /**
   * A frame to be filled in place. Waits for one when the pool is full; what it held before is still in it. Mono8, RGB8 and
   * BGR8 without padding are the memory that the worker reads; any other format is filled into memory of this process, and
   * converted when the frame is sent.
   *
   * @throws RunnerError `invalid_image` for a shape that cannot be, `pool_full` when the image is larger than the
   * pool or there is no memory for it, `aborted`, `closed`
   */
  async lease(meta: FrameMeta, o: OperationOptions = {}): Promise<Frame> {
    return this.#lease(layoutOf(meta), o);
  }

  /**
   * Puts an image where a worker finds it: complete before this resolves. A frame of this pool is sent as it is,
   * anything else is copied once. A JPEG or PNG is decoded here, in a thread, but with `decode: 'package'`.
   *
   * @throws RunnerError as {@link FramePool.lease}; `frame_released`; `invalid_image` for an encoded image that is
   * damaged, of another size than it says, or of other than 1 or 3 channels of 8 bits
   */
  async send(
    image: ImageInput,
    o: OperationOptions & {
      proof?: ProofPolicy;
      /** Formats of more than 8 bits that the worker takes as they are. @defaultValue none */
      imageFormats?: readonly string[];
      /** Whether the worker's package has Pillow, for a picture with `decode: 'package'`. @defaultValue it has none */
      hasPillow?: () => Promise<boolean>;
      /** Called before it waits for room: a caller that holds other frames lets their calls go. */
      onWait?: () => void;
    } = {},
  ): Promise<SentImage> {
    const { imageFormats = [] } = o;
    const proof = methodOf(o.proof);
    if (image instanceof PooledFrame && image.pool === this) return image.send(proof, imageFormats);
    checkWay(image);
    if ('encoded' in image || 'file' in image) return this.#sendEncoded(image, proof, o);
    const { data, meta } =
      'pixels' in image ? { data: image.pixels, meta: image.meta } : { data: image.data, meta: image };
    const layout = layoutOf(meta, imageFormats);
    const source = sourceOf(data, layout);
    return this.#sendPixels(await this.#lease(layout, o), source, proof);
  }

  /**
   * The same as {@link FramePool.send}; undefined where room, a file or a decoder must be waited for first.
   * @internal
   */
  sendNow(
    image: ImageInput,
    o: { proof?: ProofPolicy; imageFormats?: readonly string[] },
  ): SentImage | Promise<SentImage> | undefined {
    const { imageFormats = [] } = o;
    const proof = methodOf(o.proof);
    if (image instanceof PooledFrame && image.pool === this) return image.send(proof, imageFormats);
    checkWay(image);
    const isPixels = 'data' in image && !('encoded' in image) && !('file' in image);
    if (!isPixels || this.#closed || !this.#opened) return undefined;
    const layout = layoutOf(image, imageFormats);
    const source = sourceOf(image.data, layout);
    const slot = this.#opened.slots.takeNow(shapeOf(layout));
    if (!slot) return undefined;
    return this.#sendPixels(this.#frameOf(this.#opened, slot, layout), source, proof);
  }

  /** Slots made, slots idle, bytes taken. */
  async usage(o: OperationOptions = {}): Promise<FrameUsage> {
    throwIfAborted(o.signal, 'look at the frame pool');
    return (await this.#open()).slots.usage;
  }

  /** Share of its bytes that frames in use take now, 0 to 1. */
  get load(): number {
    return this.#opened?.slots.load ?? 0;
  }

  /**
   * Removes every frame and the folder. Frames still leased become unusable, and a call that still runs with one ends
   * with `closed`: its worker may not find the image any more.
   */
  close(): Promise<void> {
    return (this.#closed ??= (async () => {
      const opened = await this.#opening?.catch(() => undefined); // a folder that could not be made
      if (!opened) return;
      const { folder, life, memoryInUse, slots, decoder } = opened;
      await decoder.close();
      await slots.close();
      memoryInUse?.();
      await life?.close();
      await removeTree(folder.path);
    })());
  }

  /** See {@link FramePool.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #sendEncoded(
    image: EncodedInput,
    proof: ProofMethod | undefined,
    o: WaitOptions & { imageFormats?: readonly string[]; hasPillow?: () => Promise<boolean> },
  ): Promise<SentImage> {
    const { decoder } = await this.#open();
    const picture = await readEncoded(image, o);
    if (image.decode === 'package') return this.#handOn(picture, proof, o);
    // The room first: a picture that is decoded and has nowhere to go would take memory that nobody counts.
    const frame = await this.#lease(picture.layout, o);
    try {
      return await frame.sendPixels(await decoder.decode(picture, o.signal), proof, true);
    } finally {
      frame.release(); // the slot is kept until the call is done
    }
  }

  /** Hands the bytes of a picture on, which the worker decodes. */
  async #handOn(
    picture: EncodedPicture,
    proof: ProofMethod | undefined,
    o: WaitOptions & { hasPillow?: () => Promise<boolean> },
  ): Promise<SentImage> {
    checkHandedOn(picture, (await o.hasPillow?.()) ?? false);
    const { decoder, folder, slots } = await this.#open();
    const giveBack = await slots.reserve(picture.bytes.byteLength, o.signal, o.onWait);
    const kept = new HandedOnPicture(folder, `e${++this.#handedOn}`, picture.bytes);
    const release = () => {
      void kept.remove().finally(giveBack);
    };
    try {
      await decoder.check(picture, o.signal);
      const isLost = () => this.#closed !== undefined;
      return await sentImage({ kept, layout: picture.layout, proof, isDecoded: false, isLost, release });
    } catch (error) {
      release();
      throw error;
    }
  }

  #sendPixels(
    frame: PooledFrame,
    source: PixelSource,
    proof: ProofMethod | undefined,
  ): SentImage | Promise<SentImage> {
    try {
      return frame.sendPixels(source, proof);
    } finally {
      frame.release(); // the slot is kept until the call is done
    }
  }

  async #lease(layout: Layout, { signal, onWait }: WaitOptions): Promise<PooledFrame> {
    const opened = await this.#open();
    return this.#frameOf(opened, await opened.slots.take(shapeOf(layout), signal, onWait), layout);
  }

  #frameOf({ slots }: OpenedFrames, slot: Slot, layout: Layout): PooledFrame {
    return new PooledFrame(this, slot, layout, () => {
      slots.giveBack(slot);
    });
  }

  #open(): Promise<OpenedFrames> {
    if (this.#closed) return Promise.reject(closedError());
    return (this.#opening ??= this.#openOnce().catch((error: unknown) => {
      this.#opening = undefined; // what stood in the way may be gone the next time
      throw error;
    }));
  }

  async #openOnce(): Promise<OpenedFrames> {
    const { openFrames } = await import('./opened-frames.js');
    return (this.#opened = await openFrames({ ...this.given, inStore: this.#inStore }));
  }
}

function shapeOf({ frame, depth }: Layout): Shape {
  const { height, width, channels } = frame;
  return { height, width, channels, valueBytes: depth === 16 ? 2 : 1 };
}
