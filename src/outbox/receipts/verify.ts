import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { isRecord } from '../../arguments.js';
import { throwIfAborted, type OperationOptions } from '../../abort.js';
import { readPublicKey } from '../../package/keys.js';
import { hashFile } from '../../store/hash-file.js';
import type { Envelope, RemovalStatement } from '../storage/envelope.js';
import {
  indexIn,
  INTERNAL,
  LEAST_STORED_LEVEL,
  nodeKey,
  PRIORITIES,
  rangeOf,
  recordKey,
  STATE_KEY,
} from '../storage/keys.js';
import type { LevelReader } from '../storage/level.js';
import { LEAF_BYTES, leafData, leavesIn } from '../storage/leaves.js';
import { FORMAT, type State } from '../storage/state.js';
import { PictureFiles } from '../pictures/picture-files.js';
import { headIn, isSignedBy, type SignedHead } from '../log/heads.js';
import { Frontier, leafHash } from '../log/merkle.js';
import { openedStore } from './opened-store.js';
import { publicKeyFile } from './station-key.js';

/** Options of {@link verifyReceipts}. */
export interface VerifyReceiptsOptions extends OperationOptions {
  /** Ed25519 public key of the station, kept elsewhere. @defaultValue that in the folder, which who alters the folder can exchange */
  publicKey?: string | KeyObject;
  /** Heads that were exported earlier: without one, records at the end can go unseen. @defaultValue none */
  heads?: readonly SignedHead[];
}

/** Something that is not as the log says. */
export interface ReceiptFault {
  /** Place of the record, where the fault is one of a record. */
  index?: number;
  /** The id of the record as the platform got it, where it can be read: of a picture that of its verdict. */
  ingestId?: string;
  /** In one line. */
  reason: string;
}

/** What {@link verifyReceipts} found. */
export interface ReceiptsReport {
  folder: string;
  /** No fault. */
  isIntact: boolean;
  /** Records that the log has ever had. */
  logged: number;
  /** Of these, those that are there. */
  present: number;
  /** Of these, those that were removed by rule: delivered and past their retention, or given up. */
  removed: number;
  /** Pictures whose bytes were read. */
  pictures: number;
  /** The head that is in the folder; undefined where there is none. */
  head: SignedHead | undefined;
  /** Whether the key was given, or is that of the folder. */
  keyFrom: 'given' | 'folder';
  /** The first hundred. */
  faults: ReceiptFault[];
  faultCount: number;
}

const MOST_FAULTS = 100;

/**
 * Holds the records in the folder of an outbox against its log: without a network, and without the host, which must not have it
 * open. A record that was removed, altered, swapped or added is a fault; so is a head that is not signed by the key, and an
 * exported head that the log does not go on from.
 *
 * @throws RunnerError `not_found` when there is no outbox, `lock_timeout` when it is open, `store_failed`, `invalid_params`,
 * `aborted`
 */
export async function verifyReceipts(
  folder: string,
  options: VerifyReceiptsOptions = {},
): Promise<ReceiptsReport> {
  const absolute = path.resolve(folder);
  const database = await openedStore(absolute);
  try {
    return await verifyDatabase(absolute, database, { withPictures: true, ...options });
  } finally {
    await database.close();
  }
}

/** {@link verifyReceipts} of a store that is open. `folder` has the key and the pictures. */
export async function verifyDatabase(
  folder: string,
  database: LevelReader,
  options: VerifyReceiptsOptions & { withPictures: boolean },
): Promise<ReceiptsReport> {
  const given = options.publicKey ?? (await readFile(publicKeyFile(folder), 'utf8').catch(() => undefined));
  const key = given === undefined ? undefined : readPublicKey(given);
  return new Verification(folder, database, key, options).run();
}

/** One look at a folder. */
class Verification {
  readonly #folder: string;
  readonly #database: LevelReader;
  readonly #key: KeyObject | undefined;
  readonly #options: VerifyReceiptsOptions & { withPictures: boolean };
  readonly #faults: ReceiptFault[] = [];
  #faultCount = 0;
  /** Data of the leaves, by index. */
  readonly #leaves: Buffer[] = [];
  readonly #present = new Set<number>();
  #removal: { index: number; statement: RemovalStatement } | undefined;
  #pictures = 0;
  #isOfThisFormat = true;

  constructor(
    folder: string,
    database: LevelReader,
    key: KeyObject | undefined,
    options: VerifyReceiptsOptions & { withPictures: boolean },
  ) {
    this.#folder = folder;
    this.#database = database;
    this.#key = key;
    this.#options = options;
  }

  async run(): Promise<ReceiptsReport> {
    const state = await this.#state();
    const removed = this.#isOfThisFormat ? await this.#readAll(state) : 0;
    return {
      folder: this.#folder,
      isIntact: this.#faultCount === 0,
      logged: this.#leaves.length,
      present: this.#present.size,
      removed,
      pictures: this.#pictures,
      head: state?.head,
      keyFrom: this.#options.publicKey === undefined ? 'folder' : 'given',
      faults: this.#faults,
      faultCount: this.#faultCount,
    };
  }

  /** Answers how many records were removed by rule. */
  async #readAll(state: State | undefined): Promise<number> {
    await this.#readLeaves(state);
    await this.#readRecords();
    const removed = this.#checkMissing();
    await this.#checkMarks(state);
    return removed;
  }

  #fault(reason: string, index?: number, ingestId?: string): void {
    this.#faultCount++;
    if (this.#faults.length === MOST_FAULTS) return;
    this.#faults.push({
      ...(index !== undefined && { index }),
      ...(ingestId !== undefined && { ingestId }),
      reason,
    });
  }

  async #state(): Promise<State | undefined> {
    const stored = await this.#database.get(STATE_KEY);
    const state = stored && (json(stored) as State | undefined);
    if (state && (state.format as number) !== FORMAT) {
      this.#fault(
        `the log has the format ${String(state.format)}, and this release reads ${FORMAT}: verify it with the release that wrote it`,
      );
      this.#isOfThisFormat = false;
      return undefined;
    }
    const isWhole =
      Array.isArray(state?.priorities) && state.priorities.every(hasCounts) && Array.isArray(state.frontier);
    if (!state || !isWhole) {
      this.#fault('the state of the log is missing or cannot be read');
      return undefined;
    }
    if (!this.#key)
      this.#fault(`there is no public key: give one, or put ${publicKeyFile(this.#folder)} back`);
    if (!state.head) this.#fault('the log has no signed head');
    else if (!headIn(state.head)) {
      this.#fault('the signed head cannot be read');
      const { head: _, ...others } = state;
      return others;
    }
    return state;
  }

  /** Every leaf, the tree over them, and the heads at their sizes. */
  async #readLeaves(state: State | undefined): Promise<void> {
    const frontier = new Frontier();
    const heads = [...(this.#options.heads ?? []), ...(state?.head ? [state.head] : [])];
    const nodes = new Map<string, Buffer>();
    for await (const [key, entry] of this.#database.iterator(rangeOf('l'))) {
      throwIfAborted(this.#options.signal, 'verifyReceipts');
      if (entry.length === 0) this.#fault(`the entry ${key} has no leaves`);
      for (const [at, leaf] of leavesIn(entry).entries()) {
        const index = this.#leaves.length;
        if (indexIn(key) + at !== index || leaf.length !== LEAF_BYTES) {
          this.#fault(`the leaf of record ${index} is missing`, index);
          return;
        }
        this.#leaves.push(leaf);
        frontier.append(leafHash(leaf), (level, at, hash) => {
          if (level >= LEAST_STORED_LEVEL) nodes.set(nodeKey(level, at), hash);
        });
        for (const head of heads) if (head.size === frontier.size) this.#checkHead(head, frontier);
      }
    }
    for (const head of heads) {
      if (head.size > frontier.size) {
        this.#fault(
          `a head of ${head.size} records is known, and the log has ${frontier.size}: its end was cut off`,
        );
      }
    }
    if (state && state.next !== frontier.size) {
      this.#fault(`the state says ${state.next} records, and the log has ${frontier.size} leaves`);
    }
    if (state?.head && state.head.size !== frontier.size) {
      this.#fault(
        `the head in the folder is of ${state.head.size} records, and the log has ${frontier.size}`,
      );
    }
    if (state && state.frontier.join() !== frontier.hashes.map((hash) => hash.toString('hex')).join()) {
      this.#fault('the right edge of the tree is not that of the leaves');
    }
    await this.#checkNodes(nodes);
  }

  #checkHead(head: SignedHead, frontier: Frontier): void {
    const what = `the head of ${head.size} records, signed ${new Date(head.timestamp_ms).toISOString()},`;
    if (this.#key && !isSignedBy(head, this.#key)) this.#fault(`${what} is not signed by the key`);
    if (frontier.root().toString('hex') !== head.root)
      this.#fault(`${what} has another root than the leaves`);
  }

  async #checkNodes(nodes: Map<string, Buffer>): Promise<void> {
    for await (const [key, hash] of this.#database.iterator(rangeOfAll('n'))) {
      if (nodes.get(key)?.equals(hash)) nodes.delete(key);
      else this.#fault(`the node ${key} of the tree is not that of its leaves`);
    }
    for (const key of nodes.keys()) this.#fault(`the node ${key} of the tree is missing`);
  }

  async #readRecords(): Promise<void> {
    for await (const [key, value] of this.#database.iterator(rangeOfAll('r'))) {
      throwIfAborted(this.#options.signal, 'verifyReceipts');
      const index = indexIn(key);
      const digit = Number(key[1]);
      // Under any other key the outbox does not find it.
      const leaf = key === recordKey(digit, index) ? this.#leaves[index] : undefined;
      if (!leaf || this.#present.has(index))
        this.#fault(`record ${index} was added: the log has no leaf for it`, index, idIn(value));
      else if (leaf[0] !== digit)
        this.#fault(`record ${index} stands under another priority than its leaf says`, index, idIn(value));
      else if (!leafData(digit, value).equals(leaf))
        this.#fault(`record ${index} was altered`, index, idIn(value));
      else await this.#takeRecord(index, digit, value);
    }
  }

  async #takeRecord(index: number, digit: number, value: Buffer): Promise<void> {
    this.#present.add(index);
    const envelope = json(value) as Envelope | undefined;
    if (envelope?.index !== index) this.#fault(`record ${index} says that it is another`, index);
    if (digit === INTERNAL) {
      const statement = statementIn(json(value));
      if (statement) this.#removal = { index, statement };
      else this.#fault(`record ${index} does not tell what was removed`, index);
      return;
    }
    const { picture } = envelope ?? {};
    if (!picture || !this.#options.withPictures) return;
    const file = new PictureFiles(path.join(this.#folder, 'pictures')).pathOf(picture.digest);
    const digest = await hashFile(file).catch(() => undefined);
    this.#pictures++;
    const id = idIn(value);
    const what =
      id === undefined ? `the picture of record ${index}` : `the picture of ${id} (record ${index})`;
    if (digest === undefined) this.#fault(`${what} is missing: ${file}`, index, id);
    else if (digest !== picture.digest) this.#fault(`${what} was altered: ${file}`, index, id);
  }

  /** What is not there must have been removed by a rule, and the log says which. Answers how many were. */
  #checkMissing(): number {
    const { index: latest = 0, statement } = this.#removal ?? {};
    const stay = new Set(statement?.stay);
    let removed = 0;
    for (const [index, leaf] of this.#leaves.entries()) {
      const digit = leaf[0] ?? 0;
      const isRemoved =
        digit === INTERNAL ? index < latest : index < (statement?.through[digit] ?? 0) && !stay.has(index);
      const isThere = this.#present.has(index);
      if (isRemoved && isThere) this.#fault(`record ${index} was removed, and is there again`, index);
      if (!isRemoved && !isThere) this.#fault(`record ${index} is missing`, index);
      if (isRemoved && !isThere) removed++;
    }
    return removed;
  }

  /** What waits for its delivery, or is set aside, must be records; and as many as the state says. */
  async #checkMarks(state: State | undefined): Promise<void> {
    const isDue = new Map<number, boolean>();
    for await (const [key, value] of this.#database.iterator(rangeOfAll('d'))) {
      const [digit, index] = [Number(key[1]), indexIn(key)];
      if (!this.#present.has(index) || this.#leaves[index]?.[0] !== digit)
        this.#fault(`record ${index} has a mark of its delivery, and is not there`, index);
      const mark = json(value);
      isDue.set(index, !(isRecord(mark) && 'isSettled' in mark));
    }
    const due = PRIORITIES.map(() => 0);
    for (const index of this.#present) {
      const digit = this.#leaves[index]?.[0] ?? 0;
      const isWaiting = isDue.get(index) ?? index >= (state?.priorities[digit]?.dueFrom ?? 0);
      if (isWaiting) due[digit] = (due[digit] ?? 0) + 1;
    }
    let aside = 0;
    for await (const [key] of this.#database.iterator(rangeOfAll('a'))) {
      aside++;
      if (!this.#present.has(indexIn(key)))
        this.#fault(`record ${indexIn(key)} is set aside, and is not there`);
    }
    if (!state) return;
    for (const [digit, priority] of PRIORITIES.entries()) {
      const expected = state.priorities[digit]?.due.records;
      if (expected !== due[digit]) {
        this.#fault(
          `the state says that ${expected ?? 0} records of ${priority} wait, and ${due[digit] ?? 0} do`,
        );
      }
    }
    if (aside !== state.aside)
      this.#fault(`the state says that ${state.aside} records are set aside, and ${aside} are marked`);
  }
}

function hasCounts(value: unknown): boolean {
  const { due, dueFrom } = (value ?? {}) as { due?: { records?: unknown } | null; dueFrom?: unknown };
  return typeof due?.records === 'number' && typeof dueFrom === 'number';
}

function statementIn(value: unknown): RemovalStatement | undefined {
  const statement = value as Partial<RemovalStatement> | undefined;
  const isWhole = Array.isArray(statement?.through) && Array.isArray(statement.stay);
  return isWhole ? (statement as RemovalStatement) : undefined;
}

/** All keys with a prefix. */
function rangeOfAll(prefix: string): { gte: string; lt: string } {
  return { gte: prefix, lt: `${prefix}~` };
}

/** The id of the verdict that a record is, or that its picture belongs to. */
function idIn(value: Buffer): string | undefined {
  const record = json(value);
  const body = isRecord(record) && isRecord(record.body) ? record.body : {};
  return typeof body.ingest_id === 'string' ? body.ingest_id : undefined;
}

function json(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString());
  } catch {
    return undefined;
  }
}
