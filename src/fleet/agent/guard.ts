import { partsOf } from '../state/refs.js';
import { productsByVersion, type AgentParts } from './parts.js';
import type { Faults } from './faults.js';

/**
 * Takes product ids back from versions with a bar, at once: it asks neither the window nor a lock, and waits for no line. It runs
 * beside the work on what is desired, which may take an hour.
 */
export class Guard {
  readonly #parts: AgentParts;
  readonly #faults: Faults;
  /** Product ids that a bar left without a version, and which bar. */
  readonly left = new Map<string, string>();

  constructor(parts: AgentParts, faults: Faults) {
    this.#parts = parts;
    this.#faults = faults;
  }

  async run(): Promise<void> {
    const { station, memory, signal } = this.#parts;
    const serving = await station.serving({ signal });
    for (const product of this.left.keys()) if (Object.hasOwn(serving, product)) this.left.delete(product);
    const barred = productsByVersion(serving, (ref) => memory.barOn(ref) !== undefined);
    const todo = new Set([...barred.keys()].map((ref) => `take back ${ref}`));
    this.#faults.keepOnly(todo);
    for (const [ref, products] of barred) await this.#back(ref, products);
  }

  async #back(ref: string, productIds: string[]): Promise<void> {
    const { station, memory, signal, note, failed } = this.#parts;
    const parts = partsOf(ref);
    const what = `take back ${ref}`;
    if (!parts || !this.#faults.isDue(what)) return;
    try {
      const quarantined = memory.barred();
      const { to, left } = await station.back({ ...parts, productIds, quarantined, signal });
      this.#faults.clear(what);
      for (const product of left) this.left.set(product, ref);
      if (Object.keys(to).length + left.length > 0) note({ kind: 'back', from: ref, to, left });
    } catch (error) {
      if (!signal.aborted) failed(this.#faults.add(what, error));
    }
  }
}
