import { Frontier, leafHash } from '../log/merkle.js';
import type { Seal } from '../log/heads.js';
import type { RecordKind } from '../types.js';
import { markIn, type AsideMark, type DueMark, type Envelope, type RemovalStatement } from './envelope.js';
import {
  asideKey,
  dueKey,
  INTERNAL,
  leavesKey,
  LEAST_STORED_LEVEL,
  nodeKey,
  recordKey,
  STATE_KEY,
} from './keys.js';
import { leafData } from './leaves.js';
import type { Change } from './level.js';
import { add, copyOf, type PriorityState, type State } from './state.js';

/** Where a record is, and how much it takes. */
export interface Placed {
  digit: number;
  index: number;
  bytes: number;
}

/** A record to add. Its parts are JSON already. */
export interface Content {
  kind: RecordKind;
  /** Unix time in milliseconds. */
  recordedAt: number;
  /** JSON of a {@link RecordBody}. */
  body: string;
  picture?: Envelope['picture'];
  /** JSON of an {@link Evidence}. */
  evidence?: string;
}

const SETTLED = Buffer.from('{"isSettled":true}');

/** One batch in the making: the changes, and the state as it will be. If the batch fails, nothing has happened. */
export class Draft {
  readonly state: State;
  readonly #changes: Change[] = [];
  /** Of marks: undefined removes one. */
  readonly #marks = new Map<string, Buffer | undefined>();
  readonly #seal: Seal;
  readonly #frontier: Frontier;
  readonly #leaves: Buffer[] = [];

  constructor(state: State, seal: Seal) {
    this.state = copyOf(state);
    this.state.batch++;
    this.#seal = seal;
    this.#frontier = new Frontier(
      state.next,
      state.frontier.map((hash) => Buffer.from(hash, 'hex')),
    );
  }

  /** The mark of a key as this batch leaves it; `stored` is what it was before. */
  current(key: string, stored: Buffer | undefined): Buffer | undefined {
    return this.#marks.has(key) ? this.#marks.get(key) : stored;
  }

  /** Adds a record, which waits for its delivery from now on. */
  append(digit: number, content: Content): Placed & { leaf: string } {
    const { kind, recordedAt, body, picture, evidence } = content;
    const pictureText = picture ? `,"picture":${JSON.stringify(picture)}` : '';
    const evidenceText = evidence === undefined ? '' : `,"evidence":${evidence}`;
    const { index, size, leaf } = this.#log(
      digit,
      `"kind":"${kind}","recorded_at":${recordedAt},"body":${body}${pictureText}${evidenceText}}`,
    );
    const bytes = size + (picture?.bytes ?? 0);
    const counts = this.#counts(digit);
    if (counts.kept.records === 0) {
      counts.firstKept = index;
      counts.dueFrom = Math.max(counts.dueFrom, index);
    }
    add(counts.kept, 1, bytes);
    add(counts.due, 1, bytes);
    return { digit, index, bytes, leaf: leaf.toString('hex') };
  }

  /** Marks that a record waits for its delivery again. */
  markDue({ digit, index, bytes }: Placed, mark: DueMark): void {
    this.setDue(digit, index, mark);
    add(this.#counts(digit).due, 1, bytes);
  }

  /** Sets the mark of a record that waits. */
  setDue(digit: number, index: number, mark: DueMark): void {
    this.#marks.set(dueKey(digit, index), Buffer.from(JSON.stringify(mark)));
  }

  /** Whether a record that is there waits. `stored` is its mark as it was before this batch. */
  isDue(digit: number, index: number, stored: Buffer | undefined): boolean {
    const mark = this.current(dueKey(digit, index), stored);
    return mark ? !('isSettled' in markIn(mark)) : index >= this.#counts(digit).dueFrom;
  }

  /** A record waits no more. `stored` is its mark as it was before this batch. */
  unmarkDue({ digit, index, bytes }: Placed, stored: Buffer | undefined): void {
    const counts = this.#counts(digit);
    add(counts.due, -1, -bytes);
    if (index >= counts.dueFrom) this.#marks.set(dueKey(digit, index), SETTLED);
    else this.unmark(digit, index, stored);
  }

  /** Removes what is said of the delivery of a record. `stored` is its mark as it was before this batch. */
  unmark(digit: number, index: number, stored: Buffer | undefined): void {
    const key = dueKey(digit, index);
    if (stored) this.#marks.set(key, undefined);
    else this.#marks.delete(key);
  }

  /** No record before this index waits, but for those with a mark. */
  raiseDueFrom(digit: number, index: number): void {
    const counts = this.#counts(digit);
    counts.dueFrom = Math.max(counts.dueFrom, index);
  }

  /** A record waits no more: the platform refuses it. `stored` is its mark as it was before this batch. */
  setAside(placed: Placed, mark: AsideMark, stored: Buffer | undefined): void {
    this.unmarkDue(placed, stored);
    this.#marks.set(asideKey(placed.index), Buffer.from(JSON.stringify(mark)));
    this.state.aside++;
  }

  /** It is not set aside any more. */
  unsetAside(index: number): void {
    this.#marks.set(asideKey(index), undefined);
    this.state.aside--;
  }

  /** Removes a record. Its leaf stays. */
  remove({ digit, index, bytes }: Placed): void {
    this.#changes.push({ type: 'del', key: recordKey(digit, index) });
    add(this.#counts(digit).kept, -1, -bytes);
  }

  /** Tells in the log which records were removed so far, in place of what it told before. */
  tellRemoval(recordedAt: number): void {
    const { priorities, stragglers, removal } = this.state;
    if (removal !== undefined) this.#changes.push({ type: 'del', key: recordKey(INTERNAL, removal) });
    const statement: RemovalStatement = {
      kind: 'removal',
      recorded_at: recordedAt,
      through: priorities.map(({ firstKept }) => firstKept),
      stay: stragglers.map(({ index }) => index),
    };
    this.state.removal = this.#log(INTERNAL, JSON.stringify(statement).slice(1)).index;
  }

  /** Adds a record with its leaf to the log. `rest` is its JSON behind its index. */
  #log(digit: number, rest: string): { index: number; size: number; leaf: Buffer } {
    const index = this.state.next++;
    const value = Buffer.from(`{"index":${index},${rest}`);
    this.#changes.push({ type: 'put', key: recordKey(digit, index), value });
    const data = leafData(digit, value);
    this.#leaves.push(data);
    const leaf = leafHash(data);
    this.#frontier.append(leaf, (level, at, hash) => {
      if (level < LEAST_STORED_LEVEL) return;
      this.#changes.push({ type: 'put', key: nodeKey(level, at), value: hash });
    });
    return { index, size: value.length, leaf };
  }

  /** The batch, the state with it: records, leaves and the signed head are on the disk together or not at all. */
  changes(): Change[] {
    const { state } = this;
    const changes = [...this.#changes];
    for (const [key, value] of this.#marks) {
      changes.push(value ? { type: 'put', key, value } : { type: 'del', key });
    }
    if (this.#leaves.length > 0) {
      const key = leavesKey(state.next - this.#leaves.length);
      changes.push({ type: 'put', key, value: Buffer.concat(this.#leaves) });
    }
    if (state.head?.size !== state.next) {
      state.frontier = this.#frontier.hashes.map((hash) => hash.toString('hex'));
      const root = this.#frontier.root().toString('hex');
      state.head = this.#seal({ origin: state.origin, size: state.next, root });
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
