import { RunnerError } from '../errors.js';
import type { PictureFiles } from './pictures/picture-files.js';
import { moveOn, readRun, retriesIn, waitingIn, type SettledRun, type Waiting } from './storage/due.js';
import {
  asideMarkIn,
  bytesOf,
  envelopeIn,
  markIn,
  type AsideMark,
  type DueMark,
} from './storage/envelope.js';
import { asideKey, digitOf, dueKey, indexIn, LANES, PRIORITIES, rangeOf, recordKey } from './storage/keys.js';
import type { Draft, Placed } from './storage/draft.js';
import type { RecordStore } from './storage/record-store.js';
import { add } from './storage/state.js';
import type {
  AsideItem,
  DeliveryQueue,
  Due,
  DueItem,
  DueOptions,
  DueRef,
  Lane,
  Priority,
  ShedFacts,
} from './types.js';

/** Most records that are set aside: each stays until a person looks at it. */
const MOST_ASIDE = 1_000;

/** What a {@link Queue} works on. */
export interface QueueParts {
  store: RecordStore;
  files: PictureFiles;
  now: () => number;
  /** Adds the record that tells what was given up. */
  shed: (draft: Draft, about: ShedFacts) => void;
  /** Tells the host what was given up. */
  say: (about: ShedFacts) => void;
  /** Called when something was delivered or set aside. */
  onSettled: () => void;
}

/** A change of an item that waits: where it is, its mark, and the mark as it is stored. */
type ChangeOfItem = (draft: Draft, placed: Placed, mark: DueMark, stored: Buffer | undefined) => void;

/** Reads what is due from the store, and marks what became of it. */
export class Queue implements DeliveryQueue {
  readonly #parts: QueueParts;
  readonly #listeners = new Set<() => void>();

  constructor(parts: QueueParts) {
    this.#parts = parts;
  }

  get waitingCount(): number {
    const { priorities } = this.#parts.store.state;
    return priorities.reduce((sum, { due }) => sum + due.records, 0);
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
      for await (const waiting of waitingIn(this.#parts.store, digitOf(priority))) {
        const { mark } = waiting;
        if (mark.notBefore > now) {
          due.retryAt = Math.min(due.retryAt ?? Infinity, mark.notBefore);
          if (lane === 'records') break;
          continue;
        }
        if (due.items.length > 0 && due.items.length >= limit) return due;
        const item = this.#item(priority, waiting);
        bytes += item.sizeBytes;
        if (due.items.length > 0 && bytes > maxBytes) return due;
        due.items.push(item);
      }
    }
    return due;
  }

  /** When the oldest record that waits was recorded; undefined where none does, and while the disk cannot be read. */
  async oldestDueAt(): Promise<number | undefined> {
    try {
      return await this.#oldestDueAt();
    } catch (error) {
      if (RunnerError.is(error, 'store_failed')) return undefined;
      throw error;
    }
  }

  async #oldestDueAt(): Promise<number | undefined> {
    let oldest: number | undefined;
    for (const [digit, priority] of PRIORITIES.entries()) {
      if (this.#parts.store.state.priorities[digit]?.due.records === 0) continue;
      for await (const waiting of waitingIn(this.#parts.store, digit)) {
        oldest = Math.min(oldest ?? Infinity, this.#item(priority, waiting).recordedAt);
        break;
      }
    }
    return oldest;
  }

  async acknowledge(items: readonly DueRef[]): Promise<void> {
    await this.#settle(items, (draft, placed, _, stored) => {
      draft.unmarkDue(placed, stored);
      draft.state.delivered++;
    });
    this.#parts.onSettled();
  }

  async retryLater(items: readonly DueRef[], notBefore: number): Promise<void> {
    await this.#change(items, (draft, { digit, index }, { attempts }) => {
      draft.setDue(digit, index, { attempts: attempts + 1, notBefore });
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
          for await (const retry of retriesIn(store, digit)) waiting.push({ digit, ...retry });
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
    await this.#settle([item], (draft, placed, mark, stored) => {
      draft.setAside(placed, { ...mark, ...placed, reason, setAsideAt }, stored);
      draft.state.failures++;
    });
    await this.#boundAside();
    this.#parts.onSettled();
  }

  async *waiting(): AsyncGenerator<DueItem> {
    for (const priority of PRIORITIES) {
      for await (const waiting of waitingIn(this.#parts.store, digitOf(priority))) {
        yield this.#item(priority, waiting);
      }
    }
  }

  async aside(): Promise<AsideItem[]> {
    const found: AsideItem[] = [];
    for await (const [key, value] of this.#parts.store.entries(rangeOf('a'))) {
      const index = indexIn(key);
      const { digit, reason, setAsideAt, ...mark } = asideMarkIn(value);
      const record = await this.#parts.store.database.get(recordKey(digit, index));
      if (!record) continue;
      const item = this.#item(PRIORITIES[digit] ?? 'health', { index, mark, value: record });
      found.push({ ...item, reason, setAsideAt });
    }
    return found;
  }

  async putBack(indexes: readonly number[]): Promise<void> {
    const { store } = this.#parts;
    await store.run({
      read: () => store.database.getMany(indexes.map(asideKey)),
      apply: (draft, read) => {
        for (const [at, index] of indexes.entries()) {
          const value = draft.current(asideKey(index), read[at]);
          if (!value) continue;
          const { digit, bytes } = asideMarkIn(value);
          draft.unsetAside(index);
          draft.markDue({ digit, index, bytes }, { attempts: 0, notBefore: 0 });
        }
      },
    });
    this.wake();
  }

  #item(priority: Priority, { index, mark: { attempts }, value }: Waiting): DueItem {
    const { files } = this.#parts;
    const envelope = envelopeIn(value);
    const { kind, body, recorded_at: recordedAt, picture } = envelope;
    return {
      index,
      priority,
      kind,
      ingestId: 'artifact_id' in body ? body.artifact_id : body.ingest_id,
      body,
      sizeBytes: bytesOf(value, envelope),
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
  }

  /** Makes a change of items that still wait, after which they do not. */
  async #settle(items: readonly DueRef[], change: ChangeOfItem): Promise<void> {
    const indexes = new Map<number, Set<number>>();
    for (const { index, priority } of items) {
      const digit = digitOf(priority);
      indexes.set(digit, (indexes.get(digit) ?? new Set()).add(index));
    }
    const { store } = this.#parts;
    await this.#change(items, change, () =>
      Promise.all([...indexes].map(([digit, settling]) => readRun(store, digit, settling))),
    );
  }

  /** Makes a change of items that still wait. */
  async #change(
    items: readonly DueRef[],
    change: ChangeOfItem,
    readRuns: () => Promise<SettledRun[]> = () => Promise.resolve([]),
  ): Promise<void> {
    const { store } = this.#parts;
    const places = items.map(({ index, priority }) => ({ index, digit: digitOf(priority) }));
    await store.run({
      // Not the database of the call: a batch before this one may fail, and then that is closed, and another open.
      read: () =>
        Promise.all([
          store.database.getMany(places.map(({ digit, index }) => recordKey(digit, index))),
          store.database.getMany(places.map(({ digit, index }) => dueKey(digit, index))),
          readRuns(),
        ]),
      apply: (draft, [records, marks, runs]) => {
        for (const [at, { digit, index }] of places.entries()) {
          const [value, stored] = [records[at], marks[at]];
          if (!value || !draft.isDue(digit, index, stored)) continue;
          const mark = draft.current(dueKey(digit, index), stored);
          const due = mark ? (markIn(mark) as DueMark) : { attempts: 0, notBefore: 0 };
          change(draft, { digit, index, bytes: bytesOf(value, envelopeIn(value)) }, due, stored);
        }
        for (const run of runs) moveOn(draft, run);
      },
    });
  }

  /** The oldest of too many are given up, and told. */
  async #boundAside(): Promise<void> {
    const { store, shed, say } = this.#parts;
    if (store.state.aside <= MOST_ASIDE) return;
    const told = await store.run({
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
        const all: ShedFacts[] = [];
        for (const [digit, priority] of PRIORITIES.entries()) {
          const given = { records: 0, bytes: 0 };
          for (const { mark } of oldest) if (mark.digit === digit) add(given, 1, mark.bytes);
          if (given.records === 0) continue;
          const counts = draft.state.priorities[digit];
          if (counts) add(counts.shed, given.records, given.bytes);
          const about = { reason: 'full', priority, ...given } as const;
          shed(draft, about);
          all.push(about);
        }
        return all;
      },
    });
    for (const about of told) say(about);
  }
}
