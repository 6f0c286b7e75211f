import type { PictureFiles } from './pictures/picture-files.js';
import type { ShedRecord } from './records.js';
import { amounts, LOSS_REASONS, type Lost, type LossReason } from './status.js';
import type { Draft } from './storage/draft.js';
import { digitOf, LANES, PRIORITIES, SHED_ORDER } from './storage/keys.js';
import {
  applyRemoval,
  applyStragglers,
  planRemoval,
  planStragglers,
  type RemovalRule,
} from './storage/removal.js';
import type { RecordStore } from './storage/record-store.js';
import { add, keptBytes, none } from './storage/state.js';
import type { OutboxOptions, Priority, ShedFacts } from './types.js';

const DAY_MS = 86_400_000;
const MAX_BYTES = 10 * 2 ** 30;
/** How often ages are looked at, and how often losses are reported. */
const LOOK_MS = 60_000;
const TELL_MS = 10_000;
/** The part of the bound that is freed at once, so that not each record has another one given up. */
const STEP_SHARE = 1 / 64;
/** Delivered pictures that may lie on the disk until the next look. */
const DELIVERED_BYTES = 64 << 20;
/** What is freed on a full disk before it is tried again. */
const ROOM_BYTES = 16 << 20;

/** What a {@link Room} works on. */
export interface RoomParts {
  store: RecordStore;
  files: PictureFiles;
  now: () => number;
  /** Adds the record that tells what was given up. */
  shed: (draft: Draft, about: ShedFacts) => void;
  options: Pick<OutboxOptions, 'maxBytes' | 'maxAgeDays' | 'retentionDays' | 'onShed'>;
}

/** Keeps the outbox within its bounds: removes what was delivered, gives up the least important, and tells what it gave up. */
export class Room {
  readonly maxBytes: number;
  readonly #parts: RoomParts;
  readonly #maxAgeMs: number;
  readonly #retentionMs: number;
  /** What never reached the disk, and has no record yet. */
  readonly #lost: Lost = { disk: amounts(none), encoding: amounts(none) };
  /** Rooms that are being made for records of a priority. */
  readonly #makings = new Map<Priority, Promise<boolean>>();
  #work: Promise<unknown> = Promise.resolve();
  #isShedding = false;
  #isTidying = false;
  #toldAt = -Infinity;
  #lookedAt = -Infinity;
  #isClosed = false;

  constructor(parts: RoomParts) {
    const { maxBytes = MAX_BYTES, maxAgeDays = 90, retentionDays = 7 } = parts.options;
    this.#parts = parts;
    this.maxBytes = maxBytes;
    this.#maxAgeMs = maxAgeDays * DAY_MS;
    this.#retentionMs = retentionDays * DAY_MS;
  }

  /** What was given up and has no record yet. */
  get lost(): Lost {
    return this.#lost;
  }

  /** Counts what the disk did not take, or what could not be encoded. */
  lose(priority: Priority, bytes: number, reason: LossReason = 'disk', cause?: unknown): void {
    add(this.#lost[reason][priority], 1, bytes);
    this.say({ reason, priority, records: 1, bytes, ...(cause !== undefined && { cause }) });
  }

  /** Tells the host what was given up. */
  say(about: ShedFacts): void {
    try {
      this.#parts.options.onShed?.(about);
    } catch {
      // It is the host's own: nothing of the outbox depends on it.
    }
  }

  /** After something was added: begins to give up things where there is too much, and tells what was lost. */
  check(): void {
    if (this.#isClosed) return;
    const isFull = keptBytes(this.#parts.store.state) > this.maxBytes;
    if (isFull && !this.#isShedding) {
      this.#isShedding = true;
      void this.#inTurn(async () => {
        await this.#shedTo(this.maxBytes * (1 - STEP_SHARE), SHED_ORDER, 'full');
      }).finally(() => {
        this.#isShedding = false;
      });
    }
    const now = this.#parts.now();
    if (isOver(this.#toldAt, TELL_MS, now) && this.#hasLost()) {
      this.#toldAt = now;
      void this.#inTurn(() => this.#tellLost());
    }
    if (isOver(this.#lookedAt, LOOK_MS, now)) this.tidy();
  }

  /** After something was delivered: removes its pictures, once there are many. Each removal is a record in the log. */
  settled(): void {
    const { priorities } = this.#parts.store.state;
    const bytes = LANES.pictures.map((priority) => {
      const counts = priorities[digitOf(priority)];
      return counts ? counts.kept.bytes - counts.due.bytes : 0;
    });
    if (bytes.some((one) => one >= DELIVERED_BYTES)) this.tidy();
  }

  /** Begins to remove what was delivered and is not to be kept, and to give up what is too old. */
  tidy(): void {
    if (this.#isClosed || this.#isTidying) return;
    this.#isTidying = true;
    void this.#inTurn(async () => {
      this.#isTidying = false;
      if (!this.#parts.store.fault) await this.#tidy();
    });
  }

  /**
   * On a full disk: gives up what matters less than `priority`.
   * @returns whether anything was
   */
  async makeRoom(priority: Priority): Promise<boolean> {
    const { store } = this.#parts;
    const lesser = SHED_ORDER.slice(0, SHED_ORDER.indexOf(priority));
    const freed = await this.#inTurn(async () => {
      const goal = keptBytes(store.state) - ROOM_BYTES;
      const before = store.state.priorities.map(({ firstKept }) => firstKept);
      const isFreed = await this.#shedTo(goal, lesser, 'disk');
      // Files of pictures are gone at once; the room of records is not. A disk that fails here fails at the next write too.
      for (const [digit, since] of before.entries()) await store.compact(digit, since).catch(() => undefined);
      return isFreed;
    });
    store.lookAgain();
    return freed === true;
  }

  /**
   * {@link Room.makeRoom} for a record. Records of a batch are refused together: they share one room, else each has as much given
   * up, and the last find nothing left.
   */
  makeRoomForRecord(priority: Priority): Promise<boolean> {
    const underWay = this.#makings.get(priority);
    if (underWay) return underWay;
    const making = this.makeRoom(priority).finally(() => this.#makings.delete(priority));
    this.#makings.set(priority, making);
    return making;
  }

  /** Ends what it does, and writes what was lost. */
  async close(): Promise<void> {
    if (!this.#isClosed) {
      this.tidy();
      this.#isClosed = true;
      // Not as a record that waits for a disk that is full: nothing tells of it later. The reserve has room for it.
      if (this.#hasLost()) void this.#inTurn(() => this.#tellLost({ grows: false }));
    }
    await this.#work; // also where another call closes it: the store is closed after that
  }

  /** One thing at a time. What the disk refuses is tried again at the next occasion. */
  #inTurn<T>(work: () => Promise<T>): Promise<T | undefined> {
    const turn = this.#work.then(work).catch(() => undefined);
    this.#work = turn;
    return turn;
  }

  /** What was delivered goes first, then what waits, the least important first. */
  async #shedTo(goal: number, order: readonly Priority[], reason: ShedRecord['reason']): Promise<boolean> {
    const { store } = this.#parts;
    for (let isFreed = false; ; isFreed = true) {
      const bytes = keptBytes(store.state) - goal;
      // From the least important on each time: what came in the meantime goes before what matters more.
      if (bytes <= 0 || !(await this.#removeFirst(order, bytes, reason))) return isFreed;
    }
  }

  async #removeFirst(
    order: readonly Priority[],
    bytes: number,
    reason: ShedRecord['reason'],
  ): Promise<boolean> {
    for (const undelivered of [false, true]) {
      // Nobody waits for what was delivered: it goes whatever it is.
      for (const priority of undelivered ? order : SHED_ORDER) {
        const rule = { digit: digitOf(priority), bytes, before: Infinity, undelivered };
        if (await this.#remove(rule, reason)) return true;
      }
    }
    return false;
  }

  async #tidy(): Promise<void> {
    const now = this.#parts.now();
    const isTime = isOver(this.#lookedAt, LOOK_MS, now);
    if (isTime) this.#lookedAt = now;
    for (const [digit, priority] of PRIORITIES.entries()) {
      const isPicture = priority === 'okPictures' || priority === 'ngPictures';
      const all = { digit, bytes: Infinity };
      if (isTime && (await this.#isTooOld(digit, now)))
        await this.#removeAll({ ...all, before: now - this.#maxAgeMs, now, undelivered: true });
      if (isPicture || isTime) {
        const age = isPicture ? { before: Infinity } : { before: now - this.#retentionMs, now };
        await this.#removeAll({ ...all, ...age, undelivered: false });
      }
    }
    if (this.#parts.store.state.stragglers.length > 0) await this.#removeStragglers();
  }

  /**
   * Whether the first record of a priority waits for a 64th longer than it may: then all that is too old goes at once. Else a station that is
   * offline for months would give something up each minute, and each time a record that tells it would stay.
   */
  async #isTooOld(digit: number, now: number): Promise<boolean> {
    const latest = now - this.#maxAgeMs * (1 + STEP_SHARE);
    const first = await planRemoval(this.#parts.store, {
      ...{ digit, bytes: 1, before: latest, now, undelivered: true },
    });
    return first.go.length > 0 || first.stay.length > 0;
  }

  async #removeAll(rule: RemovalRule): Promise<void> {
    while (await this.#remove(rule, 'age'));
  }

  /** @returns whether there may be more */
  async #remove(rule: RemovalRule, reason: ShedRecord['reason']): Promise<boolean> {
    const { store, files, shed } = this.#parts;
    // A first look, beside writes: a record that comes during it can seem delivered. The look within the batch decides.
    const plan = await planRemoval(store, rule);
    if (plan.go.length === 0 && plan.stay.length === 0) return false;
    const priority = PRIORITIES[rule.digit];
    const given = await store.run({
      alone: true,
      read: () => planRemoval(store, rule),
      apply: (draft, latest) => {
        Object.assign(plan, latest);
        const all = applyRemoval(draft, latest, this.#time());
        if (all.records > 0 && priority) shed(draft, { reason, priority, ...all });
        return all;
      },
    });
    if (priority && given.records > 0) this.say({ reason, priority, ...given });
    for (const { digest } of plan.go) if (digest !== undefined) await files.release(digest);
    return plan.go.length > 0 || plan.stay.length > 0;
  }

  async #removeStragglers(): Promise<void> {
    const { store, files } = this.#parts;
    const gone = await store.run({
      alone: true,
      read: () => planStragglers(store),
      apply: (draft, go) => {
        applyStragglers(draft, go, this.#time());
        return go;
      },
    });
    for (const { digest } of gone) if (digest !== undefined) await files.release(digest);
  }

  #time(): number {
    return Math.floor(this.#parts.now());
  }

  #hasLost(): boolean {
    return LOSS_REASONS.some((reason) => PRIORITIES.some((one) => this.#lost[reason][one].records > 0));
  }

  async #tellLost({ grows } = { grows: true }): Promise<void> {
    const { store, shed } = this.#parts;
    const telling = LOSS_REASONS.flatMap((reason) =>
      PRIORITIES.map((priority) => ({ reason, priority, ...this.#lost[reason][priority] })),
    ).filter(({ records }) => records > 0);
    await store.run({
      grows,
      apply: (draft) => {
        for (const about of telling) {
          const counts = draft.state.priorities[digitOf(about.priority)]?.shed;
          if (counts) add(counts, about.records, about.bytes);
          shed(draft, about);
        }
      },
    });
    // Not before: until it is in the store, it counts here.
    for (const { reason, priority, records, bytes } of telling)
      add(this.#lost[reason][priority], -records, -bytes);
  }
}

/** Whether so much time has gone since. It has after a clock that was put back too: else nothing would be done until it is there again. */
function isOver(since: number, ms: number, now: number): boolean {
  return now - since >= ms || now < since;
}
