import type { DueItem } from '../../types.js';
import type { BatchLimits, OutgoingRecord, Outcome } from '../targets/port.js';
import { makeAttempt, type AttemptBounds } from './attempt.js';
import { Lane, type Gathered, type LaneContext, type LaneSettings } from './lane.js';

/** While a batch is not full, this is how often it is looked for more, in milliseconds. */
const LOOK_AGAIN_MS = 100;
/** What stands around and between the records of an array. */
const BETWEEN_BYTES = 1;

/** What goes together, and whether no more fits. */
interface Batch {
  items: DueItem[];
  isFull: boolean;
}

/** Records, in batches of one priority. */
export class RecordLane extends Lane {
  /** The first record of a batch that is not full, and when it was seen first: on the clock. */
  #open: { index: number; at: number } | undefined;

  constructor(context: LaneContext) {
    super('records', context);
  }

  protected async gather(): Promise<Gathered & { retryAt?: number | undefined }> {
    const { clock, queue, settings } = this.context;
    const { limits } = settings().target;
    const { items, retryAt } = await queue.due('records', {
      limit: limits.records,
      maxBytes: 2 * limits.bytes,
    });
    const batch = batchOf(items, limits);
    const [first] = batch.items;
    if (!first) {
      this.#open = undefined;
      return { waitMs: Infinity, retryAt };
    }
    if (this.#open?.index !== first.index) this.#open = { index: first.index, at: clock.now() };
    const leftMs = this.#open.at + limits.waitMs - clock.now();
    // An alarm does not wait for others.
    if (!batch.isFull && leftMs > 0 && first.priority !== 'health' && first.attempts === 0) {
      return { waitMs: Math.min(leftMs, LOOK_AGAIN_MS), retryAt };
    }
    this.#open = undefined;
    return { items: batch.items };
  }

  protected async send(
    items: readonly DueItem[],
    { target }: LaneSettings,
    bounds: (bytes: number) => AttemptBounds,
  ): Promise<Outcome> {
    const records = items.map(outgoingRecord);
    const bytes = records.reduce((sum, { json }) => sum + json.length + BETWEEN_BYTES, BETWEEN_BYTES);
    const { limits, title } = target;
    if (bytes > limits.bytes && items.length === 1) {
      return {
        state: 'refused',
        reason: `The record has ${bytes} bytes: ${title} takes batches of ${limits.bytes}`,
      };
    }
    return makeAttempt((attempt) => target.sendRecords(records, attempt), bounds(bytes));
  }
}

/** The first of what is due that go together: of one priority, within the limits. */
function batchOf(due: readonly DueItem[], limits: BatchLimits): Batch {
  const items: DueItem[] = [];
  let bytes = BETWEEN_BYTES;
  for (const item of due) {
    if (item.priority !== due[0]?.priority) break;
    bytes += outgoingRecord(item).json.length + BETWEEN_BYTES;
    if (items.length > 0 && bytes > limits.bytes) break;
    items.push(item);
  }
  return { items, isFull: items.length >= limits.records || bytes >= limits.bytes };
}

/** A record as it goes out. */
export function outgoingRecord({ ingestId, body }: DueItem): OutgoingRecord {
  return { ingestId, json: Buffer.from(JSON.stringify(body)) };
}
