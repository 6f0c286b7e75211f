import { RunnerError } from '../errors.js';
import { showAs } from '../readable.js';
import type { ProofMethod } from './proof.js';
import { sentImage } from './sent-image.js';
import type { Slot } from './slot.js';
import type { Frame, FrameMeta, SentImage } from './types.js';

/** A frame of a pool. Its slot goes back when it was released and no call uses it any more. */
export class PooledFrame implements Frame {
  /** The pool it belongs to. */
  readonly pool: object;
  readonly id: string;
  readonly meta: Readonly<Required<FrameMeta>>;
  readonly #slot: Slot;
  readonly #giveBack: () => void;
  #pixels: Uint8Array | undefined;
  #isReleased = false;
  /** Calls that use the slot, and quarantines. */
  #holds = 0;
  /** Images that are being made complete. */
  #writes = 0;

  constructor(pool: object, slot: Slot, meta: Required<FrameMeta>, giveBack: () => void) {
    this.pool = pool;
    this.id = slot.id;
    this.meta = Object.freeze(meta);
    this.#slot = slot;
    this.#giveBack = giveBack;
    showAs(this, 'Frame', () => {
      const { width, height, channels, colorSpace, cameraId, timestampMs } = meta;
      const taken = new Date(timestampMs).toISOString();
      const state = this.#isReleased ? 'released' : 'leased';
      return { id: this.id, state, size: `${width} x ${height} x ${channels}`, colorSpace, cameraId, taken };
    });
  }

  get pixels(): Uint8Array {
    this.#checkUsable('read or write the pixels of');
    return (this.#pixels ??= this.#slot.view());
  }

  release(): void {
    if (this.#isReleased) throw this.#released('release');
    this.#isReleased = true;
    this.#parted();
    this.#giveBackIfFree();
  }

  /** Makes what was filled in complete for a worker. */
  async send(proof: ProofMethod | undefined): Promise<SentImage> {
    this.#checkUsable('send');
    if (!this.#pixels) {
      throw new RunnerError(
        'invalid_image',
        `Frame ${this.id} was leased but never filled: write the image into its pixels before it is sent`,
      );
    }
    return this.#hold(undefined, proof, false);
  }

  /** Copies an image in, and makes it complete for a worker. */
  async sendCopyOf(
    pixels: Uint8Array,
    proof: ProofMethod | undefined,
    isDecoded = false,
  ): Promise<SentImage> {
    return this.#hold(pixels, proof, isDecoded);
  }

  async #hold(
    pixels: Uint8Array | undefined,
    proof: ProofMethod | undefined,
    isDecoded: boolean,
  ): Promise<SentImage> {
    const isTheSame = this.#holds > 0; // a call that runs has it: its content cannot be another
    this.#holds++;
    this.#writes++;
    const letGo = () => {
      this.#holds--;
      if (this.#holds === 0) this.#slot.retire();
      this.#giveBackIfFree();
    };
    const kept = this.#slot;
    try {
      kept.commit(pixels, isTheSame);
      const sent = await sentImage({
        ...{ kept, meta: this.meta, proof, isDecoded, letGo },
        isLost: () => kept.isDestroyed,
      });
      if (kept.isDestroyed) throw this.#closed('send');
      return sent;
    } catch (error) {
      letGo();
      throw kept.isDestroyed ? this.#closed('send', error) : error;
    } finally {
      this.#writes--;
      this.#parted();
    }
  }

  /** Whoever kept the pixels of a released frame must not reach the next image in its slot. */
  #parted(): void {
    if (!this.#isReleased || this.#writes > 0 || !this.#pixels) return;
    this.#slot.revokeViews();
    this.#pixels = undefined;
  }

  #giveBackIfFree(): void {
    if (this.#isReleased && this.#holds === 0) this.#giveBack();
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
