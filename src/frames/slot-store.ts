import { abortError, throwIfAborted } from '../abort.js';
import { RunnerError } from '../errors.js';
import type { Mapper } from './memory-mapping.js';
import { Slot, type Shape } from './slot.js';

interface Waiter {
  resolve: () => void;
  reject: (error: RunnerError) => void;
}

/** The slots of a pool: made up to a bound in bytes, reused by shape, waited for when all are taken. */
export class SlotStore {
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #mapper: Mapper | undefined;
  readonly #idle: Slot[] = [];
  readonly #all = new Set<Slot>();
  readonly #waiters = new Set<Waiter>();
  #bytes = 0;
  #made = 0;
  #isClosed = false;

  constructor(folder: string, maxBytes: number, mapper: Mapper | undefined) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    this.#mapper = mapper;
  }

  /** Slots made and bytes they take. */
  get usage(): { slots: number; idle: number; bytes: number } {
    return { slots: this.#all.size, idle: this.#idle.length, bytes: this.#bytes };
  }

  /** A slot that nobody else uses. Waits until one is given back when the bound is reached. */
  async take(shape: Shape, signal: AbortSignal | undefined): Promise<Slot> {
    const bytes = Slot.bytesOf(shape);
    if (bytes > this.#maxBytes) {
      throw new RunnerError(
        'pool_full',
        `An image of ${shape.width} x ${shape.height} x ${shape.channels} needs ${bytes} bytes, more than the pool's ` +
          `${this.#maxBytes}: raise maxBytes`,
        { retryable: false },
      );
    }
    for (;;) {
      throwIfAborted(signal, 'wait for a frame');
      if (this.#isClosed) throw closedError();
      const slot = this.#takeIdle(shape) ?? (await this.#make(shape, bytes));
      if (slot) return slot;
      await this.#giveBackOrAbort(signal);
    }
  }

  /** The slot may be used again. */
  giveBack(slot: Slot): void {
    if (this.#isClosed) {
      void this.#destroy(slot);
      return;
    }
    this.#idle.push(slot);
    for (const waiter of this.#waiters) waiter.resolve();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const waiter of this.#waiters) waiter.reject(closedError());
    await Promise.all([...this.#all].map((slot) => this.#destroy(slot)));
  }

  #takeIdle({ height, width, channels }: Shape): Slot | undefined {
    // From the end: the slot used last is the one most likely in the cache.
    const index = this.#idle.findLastIndex(
      ({ shape }) => shape.height === height && shape.width === width && shape.channels === channels,
    );
    return index === -1 ? undefined : this.#idle.splice(index, 1)[0];
  }

  /** Makes a slot if there is room for it, or room can be made of idle slots of other shapes. */
  async #make(shape: Shape, bytes: number): Promise<Slot | undefined> {
    const evicted: Slot[] = [];
    let free = this.#maxBytes - this.#bytes;
    for (const slot of this.#idle) {
      if (free >= bytes) break;
      evicted.push(slot);
      free += slot.fileBytes;
    }
    if (free < bytes) return undefined;
    this.#idle.splice(0, evicted.length);
    // Counted before the first await, so that two who come at once do not take the same room.
    this.#bytes += bytes;
    await Promise.all(evicted.map((slot) => this.#destroy(slot)));
    try {
      const slot = await Slot.create(this.#folder, `f${++this.#made}`, shape, this.#mapper);
      this.#all.add(slot);
      if (this.#isClosed) {
        await this.#destroy(slot);
        throw closedError();
      }
      return slot;
    } catch (cause) {
      if (RunnerError.is(cause)) throw cause;
      this.#bytes -= bytes;
      throw new RunnerError(
        'pool_full',
        `No frame of ${bytes} bytes could be made in ${this.#folder}: ${(cause as Error).message}`,
        { cause, details: { path: this.#folder } },
      );
    }
  }

  async #destroy(slot: Slot): Promise<void> {
    if (!this.#all.delete(slot)) return;
    this.#bytes -= slot.fileBytes;
    await slot.destroy();
  }

  async #giveBackOrAbort(signal: AbortSignal | undefined): Promise<void> {
    let waiter: Waiter | undefined;
    const onAbort = () => {
      if (signal) waiter?.reject(abortError(signal, 'wait for a frame'));
    };
    try {
      await new Promise<void>((resolve, reject) => {
        waiter = { resolve, reject };
        this.#waiters.add(waiter);
        signal?.addEventListener('abort', onAbort, { once: true });
      });
    } finally {
      if (waiter) this.#waiters.delete(waiter);
      signal?.removeEventListener('abort', onAbort);
    }
  }
}

function closedError(): RunnerError {
  return new RunnerError('closed', 'The frame pool was closed');
}
