import { RunnerError } from '../errors.js';
import { wireMeta } from './image-meta.js';
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

  constructor(pool: object, slot: Slot, meta: Required<FrameMeta>, giveBack: () => void) {
    this.pool = pool;
    this.id = slot.id;
    this.meta = Object.freeze(meta);
    this.#slot = slot;
    this.#giveBack = giveBack;
  }

  get pixels(): Uint8Array {
    this.#checkHeld('read or write the pixels of');
    return (this.#pixels ??= this.#slot.view());
  }

  release(): void {
    this.#checkHeld('release');
    this.#isReleased = true;
    // Whoever kept the pixels must not reach the next image in this slot.
    if (this.#pixels) this.#slot.revokeViews();
    this.#pixels = undefined;
    this.#giveBackIfFree();
  }

  /** Makes what was filled in visible to a worker. */
  async send(): Promise<SentImage> {
    this.#checkHeld('send');
    if (!this.#pixels) {
      throw new RunnerError(
        'invalid_image',
        `Frame ${this.id} was leased but never filled: write the image into its pixels before it is sent`,
      );
    }
    return this.#hold(() => this.#slot.flush());
  }

  /** Copies an image in, and makes it visible to a worker. */
  async sendCopyOf(pixels: Uint8Array): Promise<SentImage> {
    return this.#hold(() => this.#slot.write(pixels));
  }

  async #hold(write: () => Promise<void>): Promise<SentImage> {
    this.#holds++;
    const letGo = () => {
      this.#holds--;
      this.#giveBackIfFree();
    };
    try {
      await write();
    } catch (error) {
      letGo();
      throw error;
    }
    let isDone = false;
    return {
      id: this.id,
      meta: wireMeta(this.meta),
      done: (until) => {
        if (isDone) return;
        isDone = true;
        if (until) void until.then(letGo, letGo);
        else letGo();
      },
    };
  }

  #giveBackIfFree(): void {
    if (this.#isReleased && this.#holds === 0) this.#giveBack();
  }

  #checkHeld(what: string): void {
    if (!this.#isReleased) return;
    throw new RunnerError('frame_released', `Cannot ${what} frame ${this.id}: it was released`);
  }
}
