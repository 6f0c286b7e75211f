import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { RunnerError } from '../../errors.js';
import { makeFolder } from '../../store/atomic-file.js';
import { nodeCrypto } from '../../node-crypto.js';
import { onStore } from '../../store/store-error.js';
import type { Seal } from '../log/heads.js';
import { Draft } from './draft.js';
import { recordKey, STATE_KEY } from './keys.js';
import {
  isHeadless,
  isLocked,
  levelDatabase,
  levelFault,
  writeChanges,
  type LevelDatabase,
  type Range,
} from './level.js';
import { readerOf, type StoreReader } from './reader.js';
import { Reserve } from './reserve.js';
import { byReason, emptyState, FORMAT, none, type State } from './state.js';

/** A change of the store. */
export interface Operation<R, T> {
  /** Reads what the change depends on. Nothing is committed between this and `apply`. */
  read?: () => Promise<R>;
  /** Puts the change into the batch. Called once more where another change of the batch throws: only the change that throws is left out. */
  apply: (draft: Draft, read: R) => T;
  /** Whether it adds records: on a full disk it is refused, and what makes room is not. */
  grows?: boolean;
  /** Whether it must have a batch of its own, because it reads what others of the batch change. */
  alone?: boolean;
}

interface Waiting {
  operation: Operation<unknown, unknown>;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

/** An operation with what it has read. */
interface Ready {
  waiting: Waiting;
  read: unknown;
  answer?: unknown;
}

/** A batch whose write failed, while the store could not be read since: it may be on the disk. */
interface Doubtful {
  batch: number;
  applied: Ready[];
  cause: unknown;
}

/** Most operations of a batch. */
const GROUP = 1_024;
/** How long after a failure the disk is tried again. */
const RETRY_MS = 1_000;

/**
 * The records on the disk. Group commit: while a batch is on its way to the disk, the changes that come in the meantime gather
 * for the next. A failed write closes the database: what LevelDB has in memory and on the disk may differ then, and reading its
 * log anew tells which changes are there.
 */
export class RecordStore {
  readonly #folder: string;
  readonly #seal: Seal;
  readonly #reserve: Reserve;
  #database: LevelDatabase | undefined;
  #state: State = emptyState(nodeCrypto().randomBytes(16).toString('hex'));
  #waiting: Waiting[] = [];
  #turn: Promise<void> | undefined;
  #fault: string | undefined;
  #retryAt = 0;
  #isClosed = false;
  #onGrown: (() => void) | undefined;
  #doubtful: Doubtful | undefined;
  #doubtTimer: NodeJS.Timeout | undefined;

  private constructor(folder: string, seal: Seal) {
    this.#folder = folder;
    this.#seal = seal;
    this.#reserve = new Reserve(folder);
  }

  /** @throws RunnerError `lock_timeout` when another has it open, `store_failed`, `invalid_params` without the package */
  static async open(folder: string, seal: Seal): Promise<RecordStore> {
    const store = new RecordStore(folder, seal);
    await onStore(`open the outbox in ${folder}`, () => makeFolder(folder));
    await store.#open();
    await store.#takeReserve();
    return store;
  }

  /** As it is on the disk. */
  get state(): Readonly<State> {
    return this.#state;
  }

  /** Operations that wait for the disk. */
  get pending(): number {
    return this.#waiting.length;
  }

  /** Why the disk takes nothing; undefined where it does. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** @throws RunnerError `closed`, `store_failed` */
  get database(): StoreReader {
    if (this.#isClosed) throw this.#closed();
    if (!this.#database) throw this.#failed();
    return readerOf(this.#database, (error) => (this.#isClosed ? this.#closed() : this.#failed(error)));
  }

  /**
   * Makes a change; resolves when it is durable.
   * @throws RunnerError `store_failed` when the disk refuses it: then it has not happened; `closed`. Where a write failed and the disk cannot be
   * read either, it settles once it is known whether the change is on the disk, or with the close.
   */
  run<R, T>(operation: Operation<R, T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(this.#closed());
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({
        operation: operation as Operation<unknown, unknown>,
        resolve: resolve as (value: unknown) => void,
        reject,
      });
      // Not at once: who was waiting for a verdict goes on first, and what comes in the meantime shares the batch.
      this.#turn ??= setImmediate().then(() => this.#work());
    });
  }

  /** Called after each batch that added records. */
  onGrown(listener: () => void): void {
    this.#onGrown = listener;
  }

  /** The disk may have room again: it is tried at the next change. */
  lookAgain(): void {
    this.#retryAt = 0;
  }

  /** Entries of the store. @throws RunnerError `closed`, `store_failed` */
  async *entries(range: Range): AsyncGenerator<[string, Buffer]> {
    yield* this.database.iterator(range);
  }

  /**
   * Gives the room of records of a priority that were removed since the first kept one had this index back to the disk: LevelDB does it
   * some time, and on a full disk that is too late.
   */
  async compact(digit: number, since: number): Promise<void> {
    const { firstKept = 0 } = this.#state.priorities[digit] ?? {};
    if (firstKept > since)
      await this.#database?.compactRange(recordKey(digit, since), recordKey(digit, firstKept));
  }

  /** Makes what waits durable, and gives the folder up. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#turn;
    if (this.#doubtful) await this.#openAgain();
    this.#settleDoubtful(true);
    await this.#database?.close();
    this.#database = undefined;
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) await this.#commit(this.#group());
    this.#turn = undefined;
  }

  #group(): Waiting[] {
    const alone = this.#waiting.findIndex(({ operation }) => operation.alone);
    const count = alone === 0 ? 1 : alone === -1 ? GROUP : Math.min(alone, GROUP);
    return this.#waiting.splice(0, count);
  }

  async #commit(group: Waiting[]): Promise<void> {
    const allowed = (await this.#isReady()) ? group : this.#refuseGrowing(group);
    if (allowed.length === 0) return;
    const { draft, applied } = this.#apply(await readyOf(allowed));
    if (applied.length === 0) return;
    try {
      const database = this.#database;
      if (!database) throw this.#failed();
      if (await this.#write(database, draft, applied)) this.#resolve(applied);
    } catch (error) {
      for (const { waiting } of applied) waiting.reject(error);
    }
  }

  /** One batch of all changes that can be made: a change that throws takes no other with it. */
  #apply(ready: Ready[]): { draft: Draft; applied: Ready[] } {
    for (let applied = ready; ;) {
      const draft = new Draft(this.#state, this.#seal);
      const failed = applied.find((one) => !isApplied(one, draft));
      if (!failed) return { draft, applied };
      applied = applied.filter((one) => one !== failed);
    }
  }

  #resolve(applied: readonly Ready[]): void {
    for (const { waiting, answer } of applied) waiting.resolve(answer);
    if (applied.some(({ waiting }) => waiting.operation.grows)) this.#onGrown?.();
  }

  /** Whether the batch is on the disk; false where that is not known yet. @throws RunnerError `store_failed` where it is not */
  async #write(database: LevelDatabase, draft: Draft, applied: Ready[]): Promise<boolean> {
    const { batch } = draft.state;
    try {
      await writeChanges(database, draft.changes());
      this.#state = draft.state;
      return true;
    } catch (error) {
      this.#fault = levelFault(error);
      await this.#openAgain();
      if (this.#state.batch === batch) return true;
      if (this.#database) throw this.#failed(error);
      // Whose change is said to have failed tries again: the record would be there twice, if the disk has it.
      this.#doubtful = { batch, applied, cause: error };
      this.#lookAfterDoubt();
      return false;
    }
  }

  /** Tries to read the store, also where nothing else asks for it: somebody waits for the batch. */
  #lookAfterDoubt(): void {
    this.#doubtTimer = setTimeout(() => {
      if (!this.#doubtful || this.#isClosed) return;
      this.#turn ??= this.#openAgain().then(() => this.#work());
      void this.#turn.then(() => {
        if (this.#doubtful) this.#lookAfterDoubt();
      });
    }, RETRY_MS);
  }

  /** Tells those of the batch what became of it, once the store was read, or at the end. */
  #settleDoubtful(isEnd = false): void {
    const doubtful = this.#doubtful;
    if (!doubtful || !(this.#database || isEnd)) return;
    clearTimeout(this.#doubtTimer);
    this.#doubtful = undefined;
    if (this.#state.batch === doubtful.batch) this.#resolve(doubtful.applied);
    else for (const { waiting } of doubtful.applied) waiting.reject(this.#failed(doubtful.cause));
  }

  /** Whether the disk takes more records. Looks again at times while it does not. */
  async #isReady(): Promise<boolean> {
    if (this.#database && this.#reserve.isThere) return true;
    if (performance.now() < this.#retryAt) return false;
    if (!this.#database) await this.#openAgain();
    await this.#takeReserve();
    return this.#reserve.isThere;
  }

  #refuseGrowing(group: Waiting[]): Waiting[] {
    const growing = this.#database ? group.filter(({ operation }) => operation.grows === true) : group;
    for (const { reject } of growing) reject(this.#failed());
    return group.filter((waiting) => !growing.includes(waiting));
  }

  async #openAgain(): Promise<void> {
    this.#retryAt = performance.now() + RETRY_MS;
    const database = this.#database;
    this.#database = undefined;
    await database?.close().catch(() => undefined);
    await this.#reserve.give().catch(() => undefined);
    try {
      await this.#open();
      this.#settleDoubtful();
    } catch (error) {
      this.#fault = levelFault(error);
    }
  }

  async #takeReserve(): Promise<void> {
    if (!this.#database) return;
    try {
      await this.#reserve.take();
      this.#fault = undefined;
    } catch (error) {
      this.#fault = levelFault(error);
      this.#retryAt = performance.now() + RETRY_MS;
    }
  }

  async #open(): Promise<void> {
    const records = path.join(this.#folder, 'records');
    if (await isHeadless(records)) throw headless(this.#folder);
    // A disk that went away, and left an empty folder in its place, is no new outbox.
    const database = levelDatabase(records, { createIfMissing: this.#state.batch === 0 });
    try {
      await database.open();
      const stored = await database.get(STATE_KEY);
      if (stored) this.#state = stateIn(stored, this.#folder);
    } catch (error) {
      await database.close().catch(() => undefined);
      throw isLocked(error) ? inUse(this.#folder) : RunnerError.is(error) ? error : this.#failed(error);
    }
    this.#database = database;
  }

  #failed(cause?: unknown): RunnerError {
    const why =
      cause === undefined ? (this.#fault ?? 'the disk refused an earlier write') : levelFault(cause);
    return new RunnerError(
      'store_failed',
      `The outbox in ${this.#folder} takes nothing now: ${why}; free some space, or look at the disk: it is tried again by itself`,
      { cause, details: { path: this.#folder } },
    );
  }

  #closed(): RunnerError {
    return new RunnerError('closed', `The outbox in ${this.#folder} is closed: open it again`);
  }
}

/** The operations with what they depend on; most depend on nothing. */
async function readyOf(group: readonly Waiting[]): Promise<Ready[]> {
  if (!group.some(({ operation }) => operation.read)) {
    return group.map((waiting) => ({ waiting, read: undefined }));
  }
  return (await Promise.all(group.map(readFor))).flatMap((one) => one ?? []);
}

/** Undefined where what it depends on cannot be read: the operation rejects. */
async function readFor(waiting: Waiting): Promise<Ready | undefined> {
  try {
    return { waiting, read: await waiting.operation.read?.() };
  } catch (error) {
    waiting.reject(error);
    return undefined;
  }
}

/** Whether the change is in the batch; where it is not, the operation rejects. */
function isApplied(one: Ready, draft: Draft): boolean {
  const { waiting, read } = one;
  try {
    one.answer = waiting.operation.apply(draft, read);
    return true;
  } catch (error) {
    waiting.reject(error);
    return false;
  }
}

function stateIn(stored: Buffer, folder: string): State {
  try {
    const state = JSON.parse(stored.toString()) as Omit<State, 'shedBy'> & Partial<State>;
    // An older outbox has not counted by reason.
    const { shedBy = byReason(none) } = state;
    if ((state.format as number) === FORMAT) return { ...state, shedBy };
  } catch {
    // said below
  }
  throw new RunnerError(
    'store_damaged',
    `The outbox in ${folder} has a state that this release cannot read: open it with the release that wrote it, or move the folder away`,
    { details: { path: folder } },
  );
}

function headless(folder: string): RunnerError {
  return new RunnerError(
    'store_damaged',
    `The outbox in ${folder} has lost the file records/CURRENT, without which its records cannot be found: put the folder back from a copy, or move it away`,
    { details: { path: folder } },
  );
}

function inUse(folder: string): RunnerError {
  return new RunnerError(
    'lock_timeout',
    `The outbox in ${folder} is open already, in this process or another: an outbox has one host`,
    { details: { path: folder, timeoutMs: 0 } },
  );
}
