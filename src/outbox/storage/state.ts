import type { SignedHead } from '../log/heads.js';
import type { Amount, ShedReason } from '../types.js';
import { PRIORITIES } from './keys.js';

/** Of what is stored. In 1 each record had a mark and a leaf in entries of their own. */
export const FORMAT = 2;

/** Counters of one priority. */
export interface PriorityState {
  /** What waits for its delivery. */
  due: Amount;
  /** What is on disk. */
  kept: Amount;
  /** What was given up. */
  shed: Amount;
  /** Records with a smaller index were removed, but for stragglers. */
  firstKept: number;
  /**
   * Records from this index on wait for their delivery, but for those with a mark that says otherwise; those before it have a mark where
   * they wait. Never before `firstKept`.
   */
  dueFrom: number;
}

/** What the store knows of itself: one value, written with each batch. */
export interface State {
  format: typeof FORMAT;
  /** Id of the log, made at random with it. */
  origin: string;
  /** Batches so far: tells whether a batch whose write failed is on the disk all the same. */
  batch: number;
  /** Index of the next record. */
  next: number;
  /** Right edge of the log's Merkle tree: hexadecimal digits. */
  frontier: string[];
  /** Of all records of this batch and of those before. Undefined before the first. */
  head?: SignedHead;
  /** Index of the record that tells which records were removed; undefined while none was. */
  removal?: number;
  /** By the digit of the priority. */
  priorities: PriorityState[];
  /** Records that stayed when those around them were removed: set aside, or about what was given up. */
  stragglers: { digit: number; index: number }[];
  /** What was given up, by reason. */
  shedBy: Record<ShedReason, Amount>;
  aside: number;
  delivered: number;
  failures: number;
  /** The greatest time in an `ingest_id`: Unix time in milliseconds. */
  lastTimestamp: number;
}

/** Nothing. */
export function none(): Amount {
  return { records: 0, bytes: 0 };
}

/** An amount for each reason. */
export function byReason(of: (reason: ShedReason) => Amount): Record<ShedReason, Amount> {
  return { full: of('full'), age: of('age'), disk: of('disk'), encoding: of('encoding') };
}

/** That of a store in which there is nothing. */
export function emptyState(origin: string): State {
  return {
    format: FORMAT,
    origin,
    batch: 0,
    next: 0,
    frontier: [],
    priorities: PRIORITIES.map(() => ({
      due: none(),
      kept: none(),
      shed: none(),
      firstKept: 0,
      dueFrom: 0,
    })),
    stragglers: [],
    shedBy: byReason(none),
    aside: 0,
    delivered: 0,
    failures: 0,
    lastTimestamp: 0,
  };
}

/** A copy, to change. */
export function copyOf(state: State): State {
  return {
    ...state,
    stragglers: [...state.stragglers],
    shedBy: byReason((reason) => ({ ...state.shedBy[reason] })),
    priorities: state.priorities.map(({ due, kept, shed, ...places }) => ({
      due: { ...due },
      kept: { ...kept },
      shed: { ...shed },
      ...places,
    })),
  };
}

/** Adds to an amount, or takes from it. */
export function add(amount: Amount, records: number, bytes: number): void {
  amount.records += records;
  amount.bytes += bytes;
}

/** All bytes on disk. */
export function keptBytes({ priorities }: State): number {
  return priorities.reduce((sum, { kept }) => sum + kept.bytes, 0);
}
