import { RunnerError } from '../errors.js';
import { showAs } from '../readable.js';
import { convertInto } from './pixels/convert.js';
import { bytesOfLayout, isPlain, isPlainSource, layoutOf, sourceOf } from './pixels/layout.js';
import type { Layout, PixelSource } from './pixels/source.js';
import type { ProofMethod } from './proof.js';
import { sentImage } from './sent-image.js';
import type { Slot } from './slot.js';
import type { Frame, FrameInfo, SentImage } from './types.js';

/** A frame of a pool. Its slot goes back when it was released and no call uses it any more. */
export class PooledFrame implements Frame {
  /** The pool it belongs to. */
  readonly pool: object;
  readonly id: string;
  readonly meta: Readonly<FrameInfo>;
  readonly #slot: Slot;
  readonly #layout: Layout;
  readonly #giveBack: () => void;
  #pixels: Uint8Array | undefined;
  #isReleased = false;
  /** Calls that use the slot, and those who may still look at it after a call. */
  #sent = 0;
  /** Calls among them that have not ended: until then the host does not fill the frame. */
  #running = 0;
  /** Images that are being made complete. */
  #writes = 0;

  constructor(pool: object, slot: Slot, layout: Layout, giveBack: () => void) {
    this.pool = pool;
    this.id = slot.id;
    this.meta = Object.freeze(layout.info);
    this.#slot = slot;
    this.#layout = layout;
    this.#giveBack = giveBack;
    showAs(this, 'Frame', () => {
      const { width, height, channels, colorSpace, cameraId, timestampMs, pixelFormat } = layout.info;
      const taken = new Date(timestampMs).toISOString();
      const state = this.#isReleased ? 'released' : 'leased';
      const size = `${width} x ${height} x ${channels}`;
      return { id: this.id, state, size, ...(pixelFormat && { pixelFormat }), colorSpace, cameraId, taken };
    });
  }

  get pixels(): Uint8Array {
    this.#checkUsable('read or write the pixels of');
    return (this.#pixels ??= this.#isStaged
      ? new Uint8Array(bytesOfLayout(this.#layout))
      : this.#slot.view());
  }

  release(): void {
    if (this.#isReleased) throw this.#released('release');
    this.#isReleased = true;
    this.#parted();
    this.#giveBackIfFree();
  }

  /** Makes what was filled in complete for a worker. `imageFormats`: what it takes with more than 8 bits. */
  send(proof: ProofMethod | undefined, imageFormats: readonly string[]): SentImage | Promise<SentImage> {
    this.#checkUsable('send');
    if (this.#layout.depth === 16) layoutOf(this.meta, imageFormats); // refuses a format that is not taken
    if (!this.#pixels) {
      throw new RunnerError(
        'invalid_image',
        `Frame ${this.id} was leased but never filled: write the image into its pixels before it is sent`,
      );
    }
    const source = this.#isStaged ? sourceOf(this.#pixels, this.#layout) : undefined;
    return this.#send(source, proof, false);
  }

  /** Converts pixels into the frame, or copies them, and makes it complete for a worker. */
  sendPixels(
    source: PixelSource,
    proof: ProofMethod | undefined,
    isDecoded = false,
  ): SentImage | Promise<SentImage> {
    return this.#send(source, proof, isDecoded);
  }

  get #isStaged(): boolean {
    return !isPlain(this.#layout);
  }

  #send(
    source: PixelSource | undefined,
    proof: ProofMethod | undefined,
    isDecoded: boolean,
  ): SentImage | Promise<SentImage> {
    // A call that runs has it: its content cannot be another. After a call it can, also while a worker on its way out, or somebody
    // who looks on, still has the slot.
    const isTheSame = this.#running > 0;
    this.#running++;
    this.#sent++;
    this.#writes++;
    const over = () => {
      this.#running--;
    };
    const release = () => {
      this.#sent--;
      if (this.#sent === 0) this.#slot.retire();
      this.#giveBackIfFree();
    };
    const kept = this.#slot;
    let sent: SentImage | Promise<SentImage>;
    try {
      kept.commit(isTheSame ? undefined : this.#written(source), isTheSame);
      const isLost = () => kept.isDestroyed;
      sent = sentImage({ kept, layout: this.#layout, proof, isDecoded, isLost, over, release });
    } catch (error) {
      over();
      release();
      this.#endWrite();
      throw kept.isDestroyed ? this.#closed('send', error) : error;
    }
    if (sent instanceof Promise) {
      return this.#whenProven(sent, () => {
        over();
        release();
      });
    }
    this.#endWrite();
    return sent;
  }

  async #whenProven(proven: Promise<SentImage>, giveUp: () => void): Promise<SentImage> {
    const kept = this.#slot;
    try {
      const sent = await proven;
      if (kept.isDestroyed) throw this.#closed('send');
      return sent;
    } catch (error) {
      giveUp();
      throw kept.isDestroyed ? this.#closed('send', error) : error;
    } finally {
      this.#endWrite();
    }
  }

  #endWrite(): void {
    this.#writes--;
    this.#parted();
  }

  /** The bytes that are to be copied in; undefined when they are in the slot. */
  #written(source: PixelSource | undefined): Uint8Array | undefined {
    if (!source) return undefined;
    if (isPlainSource(source)) return source.bytes;
    convertInto(this.#slot.view(), source);
    return undefined;
  }

  /** A caller that kept the pixels of a released frame must not reach the next image in its slot. */
  #parted(): void {
    if (!this.#isReleased || this.#writes > 0 || !this.#pixels) return;
    if (!this.#isStaged) this.#slot.revokeViews();
    this.#pixels = undefined;
  }

  #giveBackIfFree(): void {
    if (this.#isReleased && this.#sent === 0) this.#giveBack();
  }

  #checkUsable(what: string): void {
    if (this.#isReleased) throw this.#released(what);
    if (this.#slot.isDestroyed) throw this.#closed(what);
  }

  #released(what: string): RunnerError {
    return new RunnerError('frame_released', `Cannot ${what} frame ${this.id}: it was released`);
  }

  #closed(what: string, cause?: unknown): RunnerError {
    return new RunnerError('closed', `Cannot ${what} frame ${this.id}: its pool was closed`, { cause });
  }
}
