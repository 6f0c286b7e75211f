import path from 'node:path';
import { LinkedSignal } from '../../linked-signal.js';
import type { Wheel } from '../../package/types.js';
import type { Installation } from '../pip/install-pip.js';
import type { HelperOptions } from './store-helper.js';
import { fits } from '../interpreters/tags.js';
import type { WheelStore } from './wheel-store.js';

/**
 * Unpacks into the store, while pip makes its choice, the wheels that it can hardly leave out: those that are their
 * project's only one for this interpreter. Both take a second or more, and neither needs the other.
 *
 * Nothing depends on it. A wheel that cannot be unpacked, and is chosen, is met again by whoever wants it, who tells; one
 * that was unpacked and is not chosen is collected when the store is pruned.
 */
export class EarlyUnpack {
  readonly #queue: Wheel[];
  readonly #unpack: (wheel: Wheel, signal: AbortSignal) => Promise<unknown>;
  readonly #signal: AbortSignal | undefined;
  readonly #work: Promise<void>;
  #current: { wheel: Wheel; stopping: LinkedSignal } | undefined;
  #doneBytes = 0;
  #onProgress: ((doneBytes: number) => void) | undefined;

  constructor(
    { venv, wheels, wheelsFolder, limits, signal }: Installation,
    store: WheelStore,
    options: { hashes: ReadonlyMap<string, string>; helper: HelperOptions },
  ) {
    this.#signal = signal;
    const usable = wheels.filter((wheel) => fits(wheel, venv.interpreter));
    this.#queue = withoutRival(usable).sort((a, b) => b.sizeBytes - a.sizeBytes); // what takes longest first
    this.#unpack = ({ file, sizeBytes }, stopping) => {
      const before = this.#doneBytes;
      return store.ensure(
        { path: path.join(wheelsFolder, file), sha256: options.hashes.get(file) ?? '' },
        {
          ...options.helper,
          limits,
          signal: stopping,
          onProgress: (done, total) => {
            this.#doneBytes = before + (total === 0 ? 0 : (sizeBytes * done) / total);
            this.#onProgress?.(this.#doneBytes);
          },
        },
      );
    };
    this.#work = this.#run();
  }

  /** Leaves out what is none of these files from now on, and waits for the rest. */
  async finish(files: ReadonlySet<string>, onProgress?: (doneBytes: number) => void): Promise<void> {
    this.#onProgress = onProgress;
    this.#queue.splice(0, this.#queue.length, ...this.#queue.filter(({ file }) => files.has(file)));
    if (this.#current && !files.has(this.#current.wheel.file)) {
      this.#current.stopping.abort(new Error('the wheel is not wanted'));
    }
    await this.#work;
  }

  /** Ends it. */
  stop(): Promise<void> {
    return this.finish(new Set());
  }

  async #run(): Promise<void> {
    for (let wheel = this.#queue.shift(); wheel; wheel = this.#queue.shift()) {
      using stopping = new LinkedSignal(this.#signal);
      this.#current = { wheel, stopping };
      await this.#unpack(wheel, stopping.signal).catch(() => undefined);
      this.#current = undefined;
    }
  }
}

function withoutRival(wheels: readonly Wheel[]): Wheel[] {
  const count = new Map<string, number>();
  for (const { name } of wheels) count.set(name, (count.get(name) ?? 0) + 1);
  return wheels.filter(({ name }) => count.get(name) === 1);
}
