import path from 'node:path';
import { abortError, listenForAbort, throwIfAborted } from '../abort.js';
import { RunnerError } from '../errors.js';
import { FileSlot } from './file-slot.js';
import type { FrameFolder } from './frame-folder.js';
import { MemorySlot, type SlotCalls } from './memory-slot.js';
import { closedError } from './pool-closed.js';
import { slotBytes, type Shape, type Slot } from './slot.js';

interface Waiter {
  resolve: () => void;
  reject: (error: RunnerError) => void;
}

/** What the system says when there is no memory left for a slot, or no descriptor. */
const NO_ROOM: readonly unknown[] = ['ENOSPC', 'ENOMEM', 'EMFILE', 'ENFILE'];

/** The slots of a pool: made up to a bound in bytes, reused by shape, waited for when all are taken. */
export class SlotStore {
  readonly #folder: FrameFolder;
  readonly #maxBytes: number;
  readonly #calls: SlotCalls;
  readonly #idle: Slot[] = [];
  readonly #all = new Set<Slot>();
  readonly #waiters = new Set<Waiter>();
  /** Slots that are being made: the folder cannot go before they are there. */
  readonly #making = new Set<Promise<unknown>>();
  #bytes = 0;
  #made = 0;
  #isClosed = false;

  constructor(folder: FrameFolder, maxBytes: number, calls: SlotCalls) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    this.#calls = calls;
  }

  /** Slots made and bytes taken. */
  get usage(): { slots: number; idle: number; bytes: number; mapped: boolean } {
    const mapped = this.#calls.sealed !== undefined || this.#calls.named !== undefined;
    return { slots: this.#all.size, idle: this.#idle.length, bytes: this.#bytes, mapped };
  }

  /** Whether nothing of the store can be found any more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Share of the bound that frames in use take, 0 to 1. */
  get load(): number {
    const idle = this.#idle.reduce((sum, { fileBytes }) => sum + fileBytes, 0);
    return (this.#bytes - idle) / this.#maxBytes;
  }

  /** A slot that nobody else uses. Waits until one is given back when the bound is reached, and calls `onWait` before. */
  async take(shape: Shape, signal: AbortSignal | undefined, onWait?: () => void): Promise<Slot> {
    for (;;) {
      this.#checkOpen(signal);
      const slot = this.#takeIdle(shape);
      if (slot) return slot;
      const bytes = slotBytes(shape);
      this.#checkFits(bytes, `of ${shape.width} x ${shape.height} x ${shape.channels} `);
      const evicted = this.#makeRoom(bytes);
      if (evicted) return this.#make(shape, bytes, evicted);
      onWait?.();
      await this.#giveBackOrAbort(signal);
    }
  }

  /** An idle slot that nobody else uses; undefined where one has to be made or waited for. */
  takeNow(shape: Shape): Slot | undefined {
    return this.#isClosed ? undefined : this.#takeIdle(shape);
  }

  /** Takes room for bytes that lie elsewhere; gives what gives it back. Waits as {@link SlotStore.take} does. */
  async reserve(bytes: number, signal: AbortSignal | undefined, onWait?: () => void): Promise<() => void> {
    this.#checkFits(bytes, '');
    for (;;) {
      this.#checkOpen(signal);
      const evicted = this.#makeRoom(bytes);
      if (!evicted) {
        onWait?.();
        await this.#giveBackOrAbort(signal);
        continue;
      }
      await this.#destroyAll(evicted);
      return () => {
        this.#bytes -= bytes;
        this.#wake();
      };
    }
  }

  /** The slot may be used again. */
  giveBack(slot: Slot): void {
    if (this.#isClosed) {
      void this.#destroy(slot);
      return;
    }
    this.#idle.push(slot);
    this.#wake();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const waiter of this.#waiters) waiter.reject(closedError());
    await Promise.allSettled(this.#making);
    await this.#destroyAll([...this.#all]);
  }

  #takeIdle({ height, width, channels, valueBytes = 1 }: Shape): Slot | undefined {
    // From the end: the slot used last is the one most likely in the cache.
    const index = this.#idle.findLastIndex(
      ({ shape }) =>
        shape.height === height &&
        shape.width === width &&
        shape.channels === channels &&
        (shape.valueBytes ?? 1) === valueBytes,
    );
    return index === -1 ? undefined : this.#idle.splice(index, 1)[0];
  }

  /**
   * Takes room below the bound, giving up idle slots for it: those are still to be destroyed. Done without a pause, so
   * that two who come at once do not take the same room.
   */
  #makeRoom(bytes: number): Slot[] | undefined {
    let free = this.#maxBytes - this.#bytes;
    let count = 0;
    for (const { fileBytes } of this.#idle) {
      if (free >= bytes) break;
      free += fileBytes;
      count++;
    }
    if (free < bytes) return undefined;
    this.#bytes += bytes;
    return this.#idle.splice(0, count);
  }

  async #make(shape: Shape, bytes: number, evicted: readonly Slot[]): Promise<Slot> {
    const making = (async () => {
      await this.#destroyAll(evicted);
      return this.#create(shape);
    })();
    this.#making.add(making);
    try {
      const slot = await making;
      this.#all.add(slot);
      if (!this.#isClosed) return slot;
      await this.#destroy(slot);
      throw closedError();
    } catch (cause) {
      if (RunnerError.is(cause)) throw cause;
      this.#bytes -= bytes;
      this.#wake();
      throw noRoom(bytes, this.#folder.path, cause);
    } finally {
      this.#making.delete(making);
    }
  }

  async #create(shape: Shape): Promise<Slot> {
    const create = async () => {
      const id = `f${++this.#made}`;
      const slot = await MemorySlot.create(this.#calls, path.basename(this.#folder.path), id, shape);
      return slot ?? new FileSlot(this.#folder, id, shape);
    };
    try {
      return await create();
    } catch (error) {
      // Less memory than the bound says: somebody else has it. What lies idle here may do.
      if (this.#idle.length === 0 || !NO_ROOM.includes((error as NodeJS.ErrnoException).code)) throw error;
      await this.#destroyAll(this.#idle.splice(0));
      return create();
    }
  }

  async #destroyAll(slots: readonly Slot[]): Promise<void> {
    await Promise.all(slots.map((slot) => this.#destroy(slot)));
  }

  async #destroy(slot: Slot): Promise<void> {
    if (!this.#all.delete(slot)) return;
    this.#bytes -= slot.fileBytes;
    await slot.destroy();
  }

  #checkFits(bytes: number, what: string): void {
    if (bytes <= this.#maxBytes) return;
    throw new RunnerError(
      'pool_full',
      `An image ${what}needs ${bytes} bytes, and the frame pool in ${this.#folder.path} may take ${this.#maxBytes}: raise ` +
        'its maxBytes, or give it a directory with more room',
      { retryable: false, details: { path: this.#folder.path } },
    );
  }

  #checkOpen(signal: AbortSignal | undefined): void {
    throwIfAborted(signal, 'wait for a frame');
    if (this.#isClosed) throw closedError();
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter.resolve();
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
        if (signal) listenForAbort(signal, onAbort);
      });
    } finally {
      if (waiter) this.#waiters.delete(waiter);
      signal?.removeEventListener('abort', onAbort);
    }
  }
}

/** The system has no room for a frame, or will not have one there. */
export function noRoom(bytes: number, folder: string, cause: unknown): RunnerError {
  return new RunnerError(
    'pool_full',
    `No frame of ${bytes} bytes could be made in ${folder}: ${(cause as Error).message}`,
    { cause, details: { path: folder } },
  );
}
