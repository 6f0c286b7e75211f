import { nodeCrypto } from '../../node-crypto.js';
import type { AsideMark, DueMark, Envelope } from './envelope.js';
import { asideKey, dueKey, leafKey, recordKey, STATE_KEY } from './keys.js';
import type { Change } from './level.js';
import { add, copyOf, type PriorityState, type State } from './state.js';

/** Where a record is, and how much it takes. */
export interface Placed {
  digit: number;
  index: number;
  bytes: number;
}

/** One batch in the making: the changes, and the state as it will be. If the batch fails, nothing has happened. */
export class Draft {
  readonly state: State;
  readonly #changes = new Map<string, Buffer | undefined>();

  constructor(state: State) {
    this.state = copyOf(state);
    this.state.batch++;
  }

  /** The value of a key as this batch leaves it; `stored` is what it was before. */
  current(key: string, stored: Buffer | undefined): Buffer | undefined {
    return this.#changes.has(key) ? this.#changes.get(key) : stored;
  }

  /** Adds a record, which waits for its delivery from now on. */
  append(digit: number, content: Omit<Envelope, 'index'>, fileBytes: number): Placed & { leaf: string } {
    const index = this.state.next++;
    const envelope: Envelope = { index, ...content };
    const value = Buffer.from(JSON.stringify(envelope));
    const bytes = value.length + fileBytes;
    this.#changes.set(recordKey(digit, index), value);
    const leaf = leafData(digit, value);
    this.#changes.set(leafKey(index), leaf);
    const counts = this.#counts(digit);
    if (counts.kept.records === 0) counts.firstKept = index;
    add(counts.kept, 1, bytes);
    this.markDue({ digit, index, bytes }, { bytes, attempts: 0, notBefore: 0 });
    return { digit, index, bytes, leaf: leaf.subarray(1).toString('hex') };
  }

  /** Marks that a record waits for its delivery. */
  markDue({ digit, index, bytes }: Placed, mark: DueMark): void {
    this.setDue(digit, index, mark);
    add(this.#counts(digit).due, 1, bytes);
  }

  /** Changes the mark of a record that waits. */
  setDue(digit: number, index: number, mark: DueMark): void {
    this.#changes.set(dueKey(digit, index), Buffer.from(JSON.stringify(mark)));
  }

  /** A record waits no more. */
  unmarkDue({ digit, index, bytes }: Placed): void {
    this.#changes.set(dueKey(digit, index), undefined);
    add(this.#counts(digit).due, -1, -bytes);
  }

  /** A record waits no more: the platform refuses it. */
  setAside(placed: Placed, mark: AsideMark): void {
    this.unmarkDue(placed);
    this.#changes.set(asideKey(placed.index), Buffer.from(JSON.stringify(mark)));
    this.state.aside++;
  }

  /** It is not set aside any more. */
  unsetAside(index: number): void {
    this.#changes.set(asideKey(index), undefined);
    this.state.aside--;
  }

  /** Removes a record. Its leaf stays. */
  remove({ digit, index, bytes }: Placed): void {
    this.#changes.set(recordKey(digit, index), undefined);
    add(this.#counts(digit).kept, -1, -bytes);
  }

  /** The batch, the state with it. */
  changes(): Change[] {
    const changes: Change[] = [];
    for (const [key, value] of this.#changes) {
      changes.push(value ? { type: 'put', key, value } : { type: 'del', key });
    }
    changes.push({ type: 'put', key: STATE_KEY, value: Buffer.from(JSON.stringify(this.state)) });
    return changes;
  }

  #counts(digit: number): PriorityState {
    const counts = this.state.priorities[digit];
    if (!counts) throw new Error(`no priority has the digit ${digit}`);
    return counts;
  }
}

/** What is a leaf of the log: the digit of the priority, then the SHA-256 of the record as it is stored. */
export function leafData(digit: number, record: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(digit), nodeCrypto().createHash('sha256').update(record).digest()]);
}
