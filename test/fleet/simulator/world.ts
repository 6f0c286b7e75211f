/** Virtual time and chance from one seed: a run with the same seed takes the same steps. */
export class World {
  readonly seed: number;
  now = 0;
  /** Events that were run. */
  steps = 0;
  readonly #random: () => number;
  readonly #heap: Entry[] = [];
  #order = 0;
  readonly #checks: (() => void)[] = [];
  readonly #trace: string[] = [];

  constructor(seed: number) {
    this.seed = seed;
    this.#random = mulberry32(seed);
  }

  /** From 0 up to, not including, 1. */
  random(): number {
    return this.#random();
  }

  /** A number from `least` up to `most`. */
  between(least: number, most: number): number {
    return least + this.#random() * (most - least);
  }

  chance(share: number): boolean {
    return this.#random() < share;
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)] as T;
  }

  /** Runs something later; the answer cancels it. */
  after(delayMs: number, run: () => void): () => void {
    const entry: Entry = { at: this.now + Math.max(0, delayMs), order: this.#order++, run };
    push(this.#heap, entry);
    return () => {
      entry.run = undefined;
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** Looked at after each step; what it throws ends the run. */
  check(look: () => void): void {
    this.#checks.push(look);
  }

  /** A line of the story, which a failure shows the end of. */
  tell(line: string): void {
    this.#trace.push(`${(this.now / 1000).toFixed(3)} ${line}`);
    if (this.#trace.length > 400) this.#trace.splice(0, 200);
  }

  /** The end of the story. */
  story(lines = 120): string {
    return this.#trace.slice(-lines).join('\n');
  }

  /** Lets time pass until `until`, or until `isDone`. */
  async run(until: number, isDone: () => boolean = () => false): Promise<void> {
    for (;;) {
      const next = this.#heap[0];
      if (!next || next.at > until || isDone()) break;
      pop(this.#heap);
      if (!next.run) continue;
      this.now = next.at;
      this.steps += 1;
      next.run();
      // Everything that follows without waiting for time: the queue of microtasks is empty then.
      await new Promise<void>((resolve) => setImmediate(resolve));
      for (const look of this.#checks) look();
    }
    if (!isDone()) this.now = Math.max(this.now, until);
  }
}

interface Entry {
  at: number;
  order: number;
  run: (() => void) | undefined;
}

function isBefore(a: Entry | undefined, b: Entry | undefined): boolean {
  return a !== undefined && b !== undefined && (a.at < b.at || (a.at === b.at && a.order < b.order));
}

/** A binary heap: the entry that is due first is at its begin. */
function push(heap: Entry[], entry: Entry): void {
  let at = heap.push(entry) - 1;
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = heap[above];
    if (!parent || !isBefore(entry, parent)) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = entry;
}

function pop(heap: Entry[]): void {
  const last = heap.pop();
  if (!last || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let below = at * 2 + 1;
    if (isBefore(heap[below + 1], heap[below])) below += 1;
    const child = heap[below];
    if (!child || !isBefore(child, last)) break;
    heap[at] = child;
    at = below;
  }
  heap[at] = last;
}

/** A generator of 32 bits of state: small, and the same on every machine. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
