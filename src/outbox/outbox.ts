import path from 'node:path';
import { throwIfAborted } from '../abort.js';
import { RunnerError } from '../errors.js';
import { describe } from '../options.js';
import { showAs } from '../readable.js';
import { onStore } from '../store/store-error.js';
import { IngestIds } from './ingest-ids.js';
import { doors } from './options.js';
import { InspectionPictures, type WrittenPicture } from './inspection-pictures.js';
import { PictureFiles } from './pictures/picture-files.js';
import { Queue } from './queue.js';
import type { EventRecord, ShedRecord, VerdictRecord } from './records.js';
import { sealWith, type Seal, type SignedHead } from './log/heads.js';
import { proveConsistency, proveRecord, type ConsistencyProof, type RecordProof } from './receipts/proofs.js';
import { stationKey } from './receipts/station-key.js';
import { Room } from './room.js';
import type { Content, Draft } from './storage/draft.js';
import { digitOf } from './storage/keys.js';
import { picturesIn } from './storage/pictures-in.js';
import { RecordStore } from './storage/record-store.js';
import { add } from './storage/state.js';
import { statusOf } from './status.js';
import type {
  DeliveryQueue,
  Inspected,
  InspectionFacts,
  OutboxOptions,
  OutboxStatus,
  Priority,
  ShedFacts,
  StoredReceipt,
} from './types.js';
import {
  artifactRecord,
  beginningOf,
  checkInspected,
  evidenceOf,
  verdictOf,
  verdictRecord,
} from './verdicts.js';

const MAX_PENDING = 10_000;
const NO_PICTURES: readonly WrittenPicture[] = [];

/** An inspection as it is logged: it holds no picture while it waits for the disk. */
interface Said {
  verdict: Omit<VerdictRecord, 'ingest_id'>;
  /** The verdict, and what it was made of, as JSON. */
  text: string;
  evidence: string;
  beginning: string;
  recordedAt: number;
  picturePriority: 'okPictures' | 'ngPictures';
}

/**
 * What a station has seen, kept on its disk until the platform has it. One outbox has one folder and one process.
 *
 * A full disk fails no inspection: what could not be kept rejects here with `store_failed`, is counted, and is reported to the
 * platform as a record of its own as soon as the disk takes one.
 */
export class Outbox implements AsyncDisposable {
  /** Absolute path. */
  readonly folder: string;
  /** As the platform knows the station. */
  readonly station: string;
  /** What is to be delivered. */
  readonly queue: DeliveryQueue;
  readonly #queue: Queue;
  readonly #store: RecordStore;
  readonly #files: PictureFiles;
  readonly #room: Room;
  readonly #ids: IngestIds;
  readonly #now: () => number;
  /** Resolves when the verdict before has its place in the log. */
  #before: Promise<void> = Promise.resolve();
  readonly #maxPending: number;
  /** Verdicts that are not given to the store yet. */
  #inTurn = 0;
  readonly #pictures: InspectionPictures;

  private constructor(folder: string, store: RecordStore, files: PictureFiles, options: OutboxOptions) {
    const { station, now = Date.now, maxPending = MAX_PENDING } = options;
    this.folder = folder;
    this.station = station;
    this.#store = store;
    this.#files = files;
    this.#now = now;
    this.#maxPending = maxPending;
    this.#ids = new IngestIds(store.state.lastTimestamp);
    const shed = (draft: Draft, about: ShedFacts) => this.#appendShed(draft, about);
    const room = (this.#room = new Room({ store, files, now, shed, options }));
    this.#pictures = new InspectionPictures(options.pictures, { files, room, now });
    const onSettled = () => {
      this.#room.settled();
    };
    const say = (about: ShedFacts) => {
      room.say(about);
    };
    this.queue = this.#queue = new Queue({ store, files, now, shed, say, onSettled });
    store.onGrown(() => {
      this.#room.check();
      this.#queue.wake();
    });
    showAs(this, 'Outbox', () => ({ folder, station, recorded: store.state.next }));
  }

  /**
   * Opens the outbox in a folder, and makes it where there is none.
   *
   * @throws RunnerError `invalid_params` for an option, without the package classic-level, or without sharp where the rules keep pictures;
   * `lock_timeout` when another
   * process has it open; `store_failed`; `store_damaged`
   */
  static async open(folder: string, options: OutboxOptions): Promise<Outbox> {
    doors().open.check(options);
    const absolute = path.resolve(folder);
    const { now = Date.now, signingKey } = options;
    let seal: Seal | undefined;
    const store = await RecordStore.open(absolute, (head) => {
      if (!seal) throw new Error('nothing is signed before the key is read');
      return seal(head);
    });
    try {
      // Only the process that has the folder may change its keys.
      const key = await onStore(`open the keys in ${absolute}`, () => stationKey(absolute, signingKey));
      seal = sealWith(key, now);
      const files = new PictureFiles(path.join(absolute, 'pictures'));
      for await (const digest of picturesIn(store)) files.use(digest);
      await onStore(`collect pictures in ${absolute}`, () => files.collect());
      const outbox = new Outbox(absolute, store, files, options);
      await outbox.#pictures.loadWhereKept();
      outbox.#room.tidy();
      return outbox;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /**
   * Keeps a verdict with its pictures, or the failure of an inspection; resolves when it is durable.
   *
   * @throws RunnerError `invalid_params`, `invalid_image` for a `pixelFormat` that is not known, `aborted`; `store_failed` when the disk does not take it, `queue_full` when it is
   * too slow: both are counted as given up; `closed`
   */
  async record(inspected: Inspected, facts: InspectionFacts): Promise<StoredReceipt> {
    checkInspected(inspected);
    doors().record.check(facts);
    this.#pictures.check(facts);
    throwIfAborted(facts.signal, 'record');
    const verdict = verdictOf(inspected);
    const picturePriority = verdict === 'OK' ? 'okPictures' : 'ngPictures';
    try {
      this.#checkPending('business');
    } catch (error) {
      this.#pictures.giveUp(inspected, facts, picturePriority);
      throw error;
    }
    // As it is now: what was given is the caller's again, and may change.
    const recordedAt = Math.floor(this.#now());
    const timestampMs = facts.timestampMs ?? recordedAt;
    const body = verdictRecord(inspected, facts, { timestampMs, station: this.station });
    const said: Said = {
      verdict: body,
      text: jsonOf(body, 'outbox.record(): the facts and the result'),
      evidence: jsonOf(evidenceOf(inspected, facts), 'outbox.record(): the parameters and the result'),
      beginning: beginningOf(this.station, facts),
      ...{ recordedAt, picturePriority },
    };
    const writing = this.#pictures.write(inspected, facts, picturePriority);
    if (writing === undefined && this.#inTurn === 0) return this.#logVerdict(said, NO_PICTURES);
    return this.#recordInTurn(said, writing);
  }

  /**
   * Keeps what happened at the station; resolves when it is durable. Health and alarms go before everything else, lines of a
   * log behind.
   *
   * @throws RunnerError as {@link Outbox.record}
   */
  async note(kind: EventRecord['kind'], data: Readonly<Record<string, unknown>>): Promise<StoredReceipt> {
    const priority = kind === 'log' ? 'diagnostics' : 'health';
    this.#checkPending(priority);
    const timestamp = Math.floor(this.#now());
    // As it is now.
    const asIsNow = jsonOf(data, `outbox.note('${kind}', data): the data`);
    const facts = { timestamp_ms: timestamp, workstation_id: this.station, kind };
    const text = `${JSON.stringify(facts).slice(0, -1)},"data":${asIsNow}}`;
    return this.#keep(priority, (draft) => {
      const ingestId = this.#idOf(draft, `${this.station}/${kind}/-`, timestamp);
      const content = { kind, recordedAt: timestamp, body: withId(ingestId, text) };
      return this.#append(draft, priority, ingestId, content);
    });
  }

  /** How it stands. @throws RunnerError `closed` */
  async status(): Promise<OutboxStatus> {
    const oldestDueAt = await this.#queue.oldestDueAt();
    const { maxBytes, lost } = this.#room;
    const { folder, station } = this;
    const { lastFault: lastPictureFault } = this.#pictures;
    return statusOf({ store: this.#store, folder, station, maxBytes, lost, oldestDueAt, lastPictureFault });
  }

  /**
   * What the station vouches for now, signed: keep it elsewhere, and nothing of what it covers can be removed or altered
   * unseen. Undefined before the first record.
   */
  head(): SignedHead | undefined {
    return this.#store.state.head;
  }

  /**
   * What proves that a record stands in the log: its leaf, the path to the root, and the head. Also of a record that was removed
   * since. @throws RunnerError `not_found`, `closed`, `store_failed`
   */
  prove(index: number): Promise<RecordProof> {
    return proveRecord(this.#store, index);
  }

  /**
   * What proves that the log goes on from an earlier head of it: hashes of RFC 9162, in hexadecimal digits.
   * @throws RunnerError `not_found` for a head that is larger than the log, `closed`, `store_failed`
   */
  proveConsistency(earlierSize: number): Promise<ConsistencyProof> {
    return proveConsistency(this.#store, earlierSize);
  }

  /** Makes what was given durable, and gives the folder up. Idempotent. */
  async close(): Promise<void> {
    await this.#before; // pictures that are on their way to the disk are of verdicts that were given
    await this.#room.close();
    await this.#store.close();
  }

  /** See {@link Outbox.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #keep(priority: Priority, add: (draft: Draft) => StoredReceipt): Promise<StoredReceipt> {
    const attempt = () => this.#store.run({ grows: true, apply: add });
    return attempt().catch((error: unknown) => this.#keepElse(priority, attempt, error));
  }

  async #keepElse(
    priority: Priority,
    attempt: () => Promise<StoredReceipt>,
    error: unknown,
  ): Promise<StoredReceipt> {
    try {
      // A full disk: what matters less goes first, then it is tried once more.
      if (RunnerError.is(error, 'store_failed') && (await this.#room.makeRoomForRecord(priority)))
        return await attempt();
      throw error;
    } catch (last) {
      if (RunnerError.is(last, 'store_failed')) this.#room.lose(priority, 0);
      throw last;
    }
  }

  #checkPending(priority: Priority): void {
    if (this.#store.pending + this.#inTurn < this.#maxPending) return;
    this.#room.lose(priority, 0);
    throw new RunnerError(
      'queue_full',
      `The outbox in ${this.folder} has ${this.#maxPending} records waiting for the disk: this one is given up and counted. The disk is too slow for them`,
      { details: { path: this.folder } },
    );
  }

  /** Logs a verdict after those before it, once its pictures are on the disk. */
  async #recordInTurn(said: Said, writing: Promise<WrittenPicture[]> | undefined): Promise<StoredReceipt> {
    const turn = this.#takeTurn();
    let written = NO_PICTURES;
    try {
      if (writing) written = await writing;
      await turn.before;
      const kept = this.#logVerdict(said, written);
      turn.done(); // it has its place in the log
      return await kept;
    } catch (error) {
      for (const { file } of written) {
        this.#room.lose(said.picturePriority, file.bytes); // no record names it
        await this.#files.release(file.digest);
      }
      throw error;
    } finally {
      turn.done();
    }
  }

  #logVerdict(said: Said, written: readonly WrittenPicture[]): Promise<StoredReceipt> {
    const { verdict, text, evidence, beginning, recordedAt, picturePriority } = said;
    return this.#keep('business', (draft) => {
      const ingestId = this.#idOf(draft, beginning, verdict.timestamp_ms);
      const body = withId(ingestId, text);
      const kept = this.#append(draft, 'business', ingestId, { kind: 'verdict', recordedAt, body, evidence });
      const ids = new Set<string>();
      for (const { picture, file } of written) {
        const artifact = artifactRecord({ ...verdict, ingest_id: ingestId }, picture, file, ids);
        this.#append(draft, picturePriority, artifact.artifact_id, {
          ...{ kind: 'picture', recordedAt, body: JSON.stringify(artifact) },
          picture: { ...file, ...(picture.isThumbnail && { isThumbnail: true }) },
        });
      }
      return kept;
    });
  }

  /** Verdicts are logged in the order of the calls, however long their pictures take: each waits for those before it. */
  #takeTurn(): { before: Promise<void>; done: () => void } {
    const before = this.#before;
    let end!: () => void;
    this.#before = new Promise((resolve) => (end = resolve));
    this.#inTurn++;
    let isDone = false;
    const done = () => {
      if (!isDone) this.#inTurn--;
      isDone = true;
      end();
    };
    return { before, done };
  }

  #idOf(draft: Draft, beginning: string, timestampMs: number): string {
    draft.state.lastTimestamp = Math.max(draft.state.lastTimestamp, timestampMs);
    return this.#ids.make(beginning, timestampMs, draft.state.next);
  }

  #append(draft: Draft, priority: Priority, ingestId: string, content: Content): StoredReceipt {
    const { index, leaf } = draft.append(digitOf(priority), content);
    return { ingestId, index, leaf };
  }

  #appendShed(draft: Draft, { reason, priority, records, bytes }: ShedFacts): void {
    add(draft.state.shedBy[reason], records, bytes);
    const timestamp = Math.floor(this.#now());
    const ingestId = this.#idOf(draft, `${this.station}/shed/-`, timestamp);
    const body: ShedRecord = {
      ingest_id: ingestId,
      timestamp_ms: timestamp,
      workstation_id: this.station,
      kind: 'shed',
      reason,
      priority,
      records,
      bytes,
    };
    const content = { kind: 'shed', recordedAt: timestamp, body: JSON.stringify(body) } as const;
    this.#append(draft, 'health', ingestId, content);
  }
}

/** A record, with its id as the first of its fields. */
function withId(ingestId: string, fields: string): string {
  return `{"ingest_id":${JSON.stringify(ingestId)},${fields.slice(1)}`;
}

/** What is given, as it is now. @throws RunnerError `invalid_params` where JSON cannot say it */
function jsonOf(value: object, what: string): string {
  try {
    const text = JSON.stringify(value) as string | undefined;
    if (text !== undefined) return text;
  } catch (cause) {
    throw new RunnerError('invalid_params', `${what} must be JSON: ${(cause as Error).message}`, { cause });
  }
  throw new RunnerError('invalid_params', `${what} must be JSON, not ${describe(value)}`);
}
