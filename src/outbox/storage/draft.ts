import { nodeCrypto } from '../../node-crypto.js';
import { Frontier, leafHash } from '../log/merkle.js';
import type { Seal } from '../log/heads.js';
import type { AsideMark, DueMark, Envelope, RemovalStatement } from './envelope.js';
import {
  asideKey,
  dueKey,
  INTERNAL,
  leafKey,
  LEAST_STORED_LEVEL,
  nodeKey,
  recordKey,
  STATE_KEY,
} from './keys.js';
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
  readonly #seal: Seal;
  readonly #frontier: Frontier;

  constructor(state: State, seal: Seal) {
    this.state = copyOf(state);
    this.state.batch++;
    this.#seal = seal;
    this.#frontier = new Frontier(
      state.next,
      state.frontier.map((hash) => Buffer.from(hash, 'hex')),
    );
  }

  /** The value of a key as this batch leaves it; `stored` is what it was before. */
  current(key: string, stored: Buffer | undefined): Buffer | undefined {
    return this.#changes.has(key) ? this.#changes.get(key) : stored;
  }

  /** Adds a record, which waits for its delivery from now on. `evidence` is JSON, made before. */
  append(
    digit: number,
    content: Omit<Envelope, 'index'>,
    fileBytes: number,
    evidence?: string,
  ): Placed & { leaf: string } {
    const { index, value, leaf } = this.#log(digit, content, evidence);
    const bytes = value.length + fileBytes;
    const counts = this.#counts(digit);
    if (counts.kept.records === 0) counts.firstKept = index;
    add(counts.kept, 1, bytes);
    this.markDue({ digit, index, bytes }, { bytes, attempts: 0, notBefore: 0 });
    return { digit, index, bytes, leaf: leaf.toString('hex') };
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

  /** Tells in the log which records were removed so far, in place of what it told before. */
  tellRemoval(recordedAt: number): void {
    const { priorities, stragglers, removal } = this.state;
    if (removal !== undefined) this.#changes.set(recordKey(INTERNAL, removal), undefined);
    const statement: RemovalStatement = {
      kind: 'removal',
      recorded_at: recordedAt,
      through: priorities.map(({ firstKept }) => firstKept),
      stay: stragglers.map(({ index }) => index),
    };
    this.state.removal = this.#log(INTERNAL, statement).index;
  }

  /** Adds a record with its leaf to the log. */
  #log(digit: number, content: object, evidence?: string): { index: number; value: Buffer; leaf: Buffer } {
    const index = this.state.next++;
    const text = JSON.stringify({ index, ...content });
    const value = Buffer.from(evidence === undefined ? text : `${text.slice(0, -1)},"evidence":${evidence}}`);
    this.#changes.set(recordKey(digit, index), value);
    const data = leafData(digit, value);
    this.#changes.set(leafKey(index), data);
    const leaf = leafHash(data);
    this.#frontier.append(leaf, (level, at, hash) => {
      if (level >= LEAST_STORED_LEVEL) this.#changes.set(nodeKey(level, at), hash);
    });
    return { index, value, leaf };
  }

  /** The batch, the state with it: records, leaves and the signed head are on the disk together or not at all. */
  changes(): Change[] {
    const { state } = this;
    if (state.head?.size !== state.next) {
      state.frontier = this.#frontier.hashes.map((hash) => hash.toString('hex'));
      const root = this.#frontier.root().toString('hex');
      state.head = this.#seal({ origin: state.origin, size: state.next, root });
    }
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
