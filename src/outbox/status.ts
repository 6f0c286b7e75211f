import { keptBytes } from './storage/state.js';
import { PRIORITIES } from './storage/keys.js';
import type { PriorityState } from './storage/state.js';
import type { RecordStore } from './storage/record-store.js';
import type { Amount, OutboxStatus, Priority } from './types.js';

/** Amounts by priority. */
export type Amounts = Record<Priority, Amount>;

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
  lost: Amounts;
  oldestDueAt: number | undefined;
}

/** How an outbox stands. */
export function statusOf({ store, folder, station, maxBytes, lost, oldestDueAt }: StatusParts): OutboxStatus {
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
    shed: amounts((priority, digit) => {
      const { records, bytes } = of(digit, 'shed');
      return { records: records + lost[priority].records, bytes: bytes + lost[priority].bytes };
    }),
    recorded: state.next,
    pending: store.pending,
    diskError: store.fault,
  };
}
