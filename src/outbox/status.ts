import { byReason, keptBytes } from './storage/state.js';
import { PRIORITIES } from './storage/keys.js';
import type { PriorityState } from './storage/state.js';
import type { RecordStore } from './storage/record-store.js';
import type { Amount, OutboxStatus, Priority, ShedReason } from './types.js';

/** Amounts by priority. */
export type Amounts = Record<Priority, Amount>;

/** What was given up before it was on the disk. */
export type Lost = Record<LossReason, Amounts>;
/** Why something never was on the disk. */
export type LossReason = Extract<ShedReason, 'disk' | 'encoding'>;
export const LOSS_REASONS: readonly LossReason[] = ['disk', 'encoding'];

/** As many as `of` says, by priority. */
export function amounts(of: (priority: Priority, digit: number) => Amount): Amounts {
  const entries = PRIORITIES.map((priority, digit) => [priority, of(priority, digit)] as const);
  return Object.fromEntries(entries) as Amounts;
}

/** What {@link statusOf} is made of. */
export interface StatusParts {
  store: RecordStore;
  folder: string;
  station: string;
  maxBytes: number;
  /** What was given up and is not in the store yet. */
  lost: Lost;
  oldestDueAt: number | undefined;
  lastPictureFault: OutboxStatus['lastPictureFault'];
}

/** How an outbox stands. */
export function statusOf(parts: StatusParts): OutboxStatus {
  const { store, folder, station, maxBytes, lost, oldestDueAt, lastPictureFault } = parts;
  const { state } = store;
  const of = (digit: number, which: 'due' | 'kept' | 'shed'): Amount => ({
    records: state.priorities[digit]?.[which].records ?? 0,
    bytes: state.priorities[digit]?.[which].bytes ?? 0,
  });
  return {
    folder,
    station,
    due: amounts((_, digit) => of(digit, 'due')),
    oldestDueAt,
    kept: {
      records: state.priorities.reduce((sum, { kept }: PriorityState) => sum + kept.records, 0),
      bytes: keptBytes(state),
    },
    maxBytes,
    aside: state.aside,
    delivered: state.delivered,
    failures: state.failures,
    shed: amounts((priority, digit) =>
      sumOf([of(digit, 'shed'), ...LOSS_REASONS.map((reason) => lost[reason][priority])]),
    ),
    shedBy: byReason((reason) =>
      sumOf([state.shedBy[reason], ...(isLoss(reason) ? Object.values(lost[reason]) : [])]),
    ),
    lastPictureFault,
    recorded: state.next,
    pending: store.pending,
    diskError: store.fault,
  };
}

function isLoss(reason: ShedReason): reason is LossReason {
  return (LOSS_REASONS as readonly ShedReason[]).includes(reason);
}

function sumOf(amounts: readonly Amount[]): Amount {
  return {
    records: amounts.reduce((sum, { records }) => sum + records, 0),
    bytes: amounts.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}
