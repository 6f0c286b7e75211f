import type { PictureFiles } from './pictures/picture-files.js';
import { asideMarkIn, dueMarkIn, envelopeIn, type AsideMark, type DueMark } from './storage/envelope.js';
import { asideKey, digitOf, dueKey, indexIn, LANES, PRIORITIES, rangeOf, recordKey } from './storage/keys.js';
import type { ShedFacts } from './room.js';
import type { Draft, Placed } from './storage/draft.js';
import type { RecordStore } from './storage/record-store.js';
import { add } from './storage/state.js';
import type { AsideItem, DeliveryQueue, Due, DueItem, DueOptions, DueRef, Lane, Priority } from './types.js';

/** Most records that are set aside: each stays until a person looks at it. */
const MOST_ASIDE = 1_000;

/** What a {@link Queue} works on. */
export interface QueueParts {
  store: RecordStore;
  files: PictureFiles;
  now: () => number;
  /** Adds the record that tells what was given up. */
  shed: (draft: Draft, about: ShedFacts) => void;
  /** Called when something was delivered or set aside. */
  onSettled: () => void;
}

/** Reads what is due from the store, and marks what became of it. */
export class Queue implements DeliveryQueue {
  readonly #parts: QueueParts;
  readonly #listeners = new Set<() => void>();
  /** By digit: nothing waits before this index. LevelDB passes over marks that were removed one by one until it has compacted them. */
  readonly #from = new Map<number, number>();
  /** How often something was put back. */
  #puttingBack = 0;

  constructor(parts: QueueParts) {
    this.#parts = parts;
  }

  /** Tells the listeners that something is due. */
  wake(): void {
    for (const listener of this.#listeners) listener();
  }

  onDue(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  async due(lane: Lane, { limit = 100, maxBytes = Infinity }: DueOptions = {}): Promise<Due> {
    const due: Due = { items: [], retryAt: undefined };
    let bytes = 0;
    const now = this.#parts.now();
    for (const priority of LANES[lane]) {
      const refs: { index: number; mark: DueMark }[] = [];
      for await (const [index, mark] of this.#marks(digitOf(priority))) {
        if (mark.notBefore > now) {
          due.retryAt = Math.min(due.retryAt ?? Infinity, mark.notBefore);
          if (lane === 'records') break;
          continue;
        }
        const isFull = due.items.length + refs.length >= limit || bytes + mark.bytes > maxBytes;
        if (isFull && due.items.length + refs.length > 0) {
          due.items.push(...(await this.#items(priority, refs)));
          return due;
        }
        bytes += mark.bytes;
        refs.push({ index, mark });
      }
      due.items.push(...(await this.#items(priority, refs)));
    }
    return due;
  }

  /** When the oldest record that waits was recorded; undefined where none does, and while the disk cannot be read. */
  async oldestDueAt(): Promise<number | undefined> {
    let oldest: number | undefined;
    for (const [digit, priority] of PRIORITIES.entries()) {
      if (this.#parts.store.state.priorities[digit]?.due.records === 0) continue;
      for await (const [index, mark] of this.#marks(digit)) {
        const [item] = await this.#items(priority, [{ index, mark }]);
        if (item) oldest = Math.min(oldest ?? Infinity, item.recordedAt);
        break;
      }
    }
    return oldest;
  }

  async acknowledge(items: readonly DueRef[]): Promise<void> {
    await this.#settle(items, (draft, placed) => {
      draft.unmarkDue(placed);
      draft.state.delivered++;
    });
    this.#parts.onSettled();
  }

  async retryLater(items: readonly DueRef[], notBefore: number): Promise<void> {
    await this.#settle(items, (draft, { digit, index }, mark) => {
      draft.setDue(digit, index, { ...mark, attempts: mark.attempts + 1, notBefore });
      draft.state.failures++;
    });
  }

  async retryNow(): Promise<void> {
    const { store } = this.#parts;
    await store.run({
      alone: true,
      read: async () => {
        const waiting: { digit: number; index: number; mark: DueMark }[] = [];
        for (const digit of PRIORITIES.keys()) {
          for await (const [index, mark] of this.#marks(digit)) {
            if (mark.notBefore > 0) waiting.push({ digit, index, mark });
          }
        }
        return waiting;
      },
      apply: (draft, waiting) => {
        for (const { digit, index, mark } of waiting) draft.setDue(digit, index, { ...mark, notBefore: 0 });
      },
    });
    this.wake();
  }

  async setAside(item: DueRef, reason: string): Promise<void> {
    const setAsideAt = this.#parts.now();
    await this.#settle([item], (draft, placed, mark) => {
      draft.setAside(placed, { ...mark, digit: placed.digit, reason, setAsideAt });
      draft.state.failures++;
    });
    await this.#boundAside();
    this.#parts.onSettled();
  }

  async *waiting(): AsyncGenerator<DueItem> {
    for (const priority of PRIORITIES) {
      for await (const [index, mark] of this.#marks(digitOf(priority))) {
        yield* await this.#items(priority, [{ index, mark }]);
      }
    }
  }

  async aside(): Promise<AsideItem[]> {
    const found: AsideItem[] = [];
    for await (const [key, value] of this.#parts.store.entries(rangeOf('a'))) {
      const { digit, reason, setAsideAt, ...mark } = asideMarkIn(value);
      const [item] = await this.#items(PRIORITIES[digit] ?? 'health', [{ index: indexIn(key), mark }]);
      if (item) found.push({ ...item, reason, setAsideAt });
    }
    return found;
  }

  async putBack(indexes: readonly number[]): Promise<void> {
    const { store } = this.#parts;
    const restart = () => {
      this.#puttingBack++;
      this.#from.clear();
    };
    restart();
    await store.run({
      read: () => store.database.getMany(indexes.map(asideKey)),
      apply: (draft, read) => {
        for (const [at, index] of indexes.entries()) {
          const value = draft.current(asideKey(index), read[at]);
          if (!value) continue;
          const { digit, bytes } = asideMarkIn(value);
          draft.unsetAside(index);
          draft.markDue({ digit, index, bytes }, { bytes, attempts: 0, notBefore: 0 });
        }
      },
    });
    restart();
    this.wake();
  }

  /** Marks of a priority that wait, in order. */
  async *#marks(digit: number): AsyncGenerator<[number, DueMark]> {
    const { store } = this.#parts;
    const puttingBack = this.#puttingBack;
    const { next } = store.state;
    let first: number | undefined;
    for await (const [key, value] of store.entries(rangeOf(`d${digit}`, this.#from.get(digit)))) {
      const index = indexIn(key);
      first ??= this.#startAt(digit, index, puttingBack);
      yield [index, dueMarkIn(value)];
    }
    if (first === undefined) this.#startAt(digit, next, puttingBack);
  }

  #startAt(digit: number, index: number, puttingBack: number): number {
    if (puttingBack === this.#puttingBack) this.#from.set(digit, index);
    return index;
  }

  async #items(priority: Priority, refs: readonly { index: number; mark: DueMark }[]): Promise<DueItem[]> {
    const { store, files } = this.#parts;
    if (refs.length === 0) return [];
    const digit = digitOf(priority);
    const values = await store.database.getMany(refs.map(({ index }) => recordKey(digit, index)));
    return refs.flatMap(({ index, mark: { bytes, attempts } }, at) => {
      const value = values[at];
      if (!value) return []; // given up since the mark was read
      const { kind, body, recorded_at: recordedAt, picture } = envelopeIn(value);
      return {
        index,
        priority,
        kind,
        ingestId: 'artifact_id' in body ? body.artifact_id : body.ingest_id,
        body,
        sizeBytes: bytes,
        recordedAt,
        attempts,
        ...(picture && {
          picture: {
            digest: picture.digest,
            file: files.pathOf(picture.digest),
            ...(picture.isThumbnail && { isThumbnail: true }),
          },
        }),
      };
    });
  }

  /** Changes the marks of items that still wait. */
  async #settle(
    items: readonly DueRef[],
    change: (draft: Draft, placed: Placed, mark: DueMark) => void,
  ): Promise<void> {
    const { store } = this.#parts;
    const keys = items.map(({ index, priority }) => dueKey(digitOf(priority), index));
    await store.run({
      read: () => store.database.getMany(keys),
      apply: (draft, read) => {
        for (const [at, { index, priority }] of items.entries()) {
          const value = draft.current(keys[at] ?? '', read[at]);
          if (!value) continue;
          const mark = dueMarkIn(value);
          change(draft, { digit: digitOf(priority), index, bytes: mark.bytes }, mark);
        }
      },
    });
  }

  /** The oldest of too many are given up, and told. */
  async #boundAside(): Promise<void> {
    const { store, shed } = this.#parts;
    if (store.state.aside <= MOST_ASIDE) return;
    await store.run({
      alone: true,
      read: async () => {
        const range = { ...rangeOf('a'), limit: Math.max(0, store.state.aside - MOST_ASIDE) };
        const oldest: { index: number; mark: AsideMark }[] = [];
        for await (const [key, value] of store.entries(range)) {
          oldest.push({ index: indexIn(key), mark: asideMarkIn(value) });
        }
        return oldest;
      },
      apply: (draft, oldest) => {
        for (const { index } of oldest) draft.unsetAside(index);
        for (const [digit, priority] of PRIORITIES.entries()) {
          const given = { records: 0, bytes: 0 };
          for (const { mark } of oldest) if (mark.digit === digit) add(given, 1, mark.bytes);
          if (given.records === 0) continue;
          const counts = draft.state.priorities[digit];
          if (counts) add(counts.shed, given.records, given.bytes);
          shed(draft, { reason: 'full', priority, ...given });
        }
      },
    });
  }
}
