import type { KeyObject } from 'node:crypto';
import type { OperationOptions } from '../abort.js';
import type { ImageRegion, PixelInput } from '../frames/types.js';
import type { InspectionResult } from '../supervisor/types.js';
import type { RunnerError } from '../errors.js';
import type { ArtifactRecord, EventRecord, ShedRecord, VerdictRecord } from './records.js';

/**
 * What goes first, and what is shed last: health and alarms, then verdicts, then logs. Pictures have a lane of their own, NG
 * before OK.
 */
export type Priority = 'health' | 'business' | 'diagnostics' | 'ngPictures' | 'okPictures';

/** Records and pictures are delivered beside each other: neither waits for the other. */
export type Lane = 'records' | 'pictures';

/** Of what kind a record is; `shed` counts what had to be given up. */
export type RecordKind = 'verdict' | 'health' | 'alarm' | 'log' | 'picture' | 'shed';

/** Options of {@link Outbox.open}. */
export interface OutboxOptions {
  /** Name of the station, as the platform knows it: the first part of each `ingest_id`. */
  station: string;
  /** Bytes of all records and pictures; past it the least important goes first. @defaultValue 10 GiB */
  maxBytes?: number;
  /** Days after which what was not delivered is shed. @defaultValue 90 */
  maxAgeDays?: number;
  /** Days that delivered records are kept. Their pictures go once they are delivered. @defaultValue 7 */
  retentionDays?: number;
  /**
   * Ed25519 private key that signs the heads of the log: PEM or key object. Who has the folder has the key that is made there: keep
   * yours elsewhere. @defaultValue a key that is made in the folder
   */
  signingKey?: string | KeyObject;
  /** Which pictures are kept, and how. They are encoded by the package `sharp`. @defaultValue those of NG verdicts, as JPEG */
  pictures?: PictureRules;
  /** Records that may wait for the disk in memory; more are lost, and counted. @defaultValue 10_000 */
  maxPending?: number;
  /**
   * Called when something was given up: that is the only sign where `record()` resolves, because the verdict itself is kept. What it throws
   * is dropped. @defaultValue none
   */
  onShed?: (about: ShedFacts) => void;
  /** Unix time in milliseconds. For tests. @defaultValue the system's */
  now?: () => number;
}

/** Why something was given up. */
export type ShedReason = ShedRecord['reason'];

/** What was given up. */
export interface ShedFacts {
  /** As the record of the kind `shed` tells it. */
  reason: ShedReason;
  /** Of what was given up. */
  priority: Priority;
  records: number;
  /** Of the records with their pictures, as far as it is known. */
  bytes: number;
  /** What failed, where something did. */
  cause?: unknown;
}

/** Which pictures are kept, and how. */
export interface PictureRules {
  /** By the verdict. An inspection that failed counts as NG. @defaultValue 'ng' */
  keep?: 'all' | 'ng' | 'none';
  /** Share of the pictures of OK parts that are kept besides, evenly spread, with `keep: 'ng'`. @defaultValue 0 */
  okShare?: number;
  /** A rule of the host, which goes first: true keeps, false does not, undefined leaves it to the others. @defaultValue none */
  choose?: (inspected: Inspected, facts: InspectionFacts) => boolean | undefined;
  /** Of the files. @defaultValue 'jpeg' */
  format?: 'jpeg' | 'webp' | 'png';
  /** Of JPEG and WebP, from 1 to 100. @defaultValue 85 */
  quality?: number;
  /** Longest side of a thumbnail beside each picture, in pixels; 0 for none. @defaultValue 0 */
  thumbnail?: number;
  /**
   * Cut-outs beside each picture that is kept (`roi_crop`): one for each of the result's `defect_rects`, at most so many; 0 for none.
   * @defaultValue 0
   */
  cutouts?: number;
  /** Pixels around a defect that its cut-out has too. @defaultValue 16 */
  cutoutMargin?: number;
  /** Regions that must not leave, in pixels of the picture that was inspected: they are black in every file. @defaultValue none */
  masks?: readonly ImageRegion[];
}

/**
 * The picture of an inspection, to be encoded here: a whole file, or pixels as a call takes them, `pixelFormat` and the rest of their layout
 * included. Pixels are copied at once; values of more than 8 bits need `toEightBits`. With `region` that part is the picture.
 */
export type InspectedImage =
  | {
      /** A whole file in any format that sharp reads. */
      encoded: Uint8Array;
      /** Which camera took it. */
      cameraId?: string;
    }
  | PixelInput;

/** A picture in a file format. */
export interface EncodedPicture {
  /** The whole file. */
  encoded: Uint8Array;
  /** Such as `image/jpeg`. */
  contentType: string;
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  /** What it shows. @defaultValue 'ng_image' */
  type?: ArtifactRecord['type'];
  /** A smaller one beside the whole picture: it goes first when much waits. @defaultValue false */
  isThumbnail?: boolean;
  /** Which camera took it. */
  cameraId?: string;
}

/** What the result itself does not tell of an inspection. */
export interface InspectionFacts extends OperationOptions {
  /** Of the part that was inspected. */
  productId: string;
  /** As it was called with. */
  stepIndex: number;
  /** Id of the session. @defaultValue '-' */
  sessionId?: string;
  /** Parameters that the step ran with. @defaultValue none */
  parameters?: Readonly<Record<string, unknown>>;
  /** 32 hexadecimal digits of W3C Trace Context. @defaultValue the result's request id */
  traceId?: string;
  /** When the verdict was given: Unix time in milliseconds. @defaultValue now */
  timestampMs?: number;
  /** Digest of the package that answered (`packageDigest` of `procvision-runner/signing`). */
  packageDigest?: string;
  /** Digest of its environment. */
  environmentRoot?: string;
  /** Version that failed, where there is an error in place of a result. */
  version?: string;
  /** The picture that was inspected: it is kept by the rules of the outbox. @defaultValue none */
  image?: InspectedImage;
  /** Further regions of this picture that must not leave. @defaultValue none */
  masks?: readonly ImageRegion[];
  /** Pictures that are encoded already: they are kept as they are. @defaultValue none */
  pictures?: readonly EncodedPicture[];
}

/** What can be recorded of an inspection: what it answered, or why it did not. */
export type Inspected = InspectionResult | RunnerError;

/** A record that survives a power cut. */
export interface StoredReceipt {
  /** As the platform gets it. */
  ingestId: string;
  /** Place in the station's log, from 0: records are delivered in this order within a priority. */
  index: number;
  /** The record's leaf in the log: 64 hexadecimal digits. */
  leaf: string;
}

/** A picture that is to be delivered. */
export interface DuePicture {
  /** SHA-256 of the file, in hexadecimal digits. */
  digest: string;
  /** Path of the file. It stays at least until it is acknowledged. */
  file: string;
  /** A smaller one beside the whole picture. */
  isThumbnail?: boolean;
}

/** What the platform gets. */
export type RecordBody = VerdictRecord | ArtifactRecord | EventRecord | ShedRecord;

/** A record that waits for its delivery. */
export interface DueItem {
  /** Place in the station's log. */
  index: number;
  priority: Priority;
  kind: RecordKind;
  /** The receiver takes a second record with the same id for the first. */
  ingestId: string;
  /** As JSON on the wire. */
  body: RecordBody;
  /** Of the record, the file of its picture included. */
  sizeBytes: number;
  /** When it was recorded: Unix time in milliseconds. */
  recordedAt: number;
  /** Failed attempts so far. */
  attempts: number;
  picture?: DuePicture;
}

/** Which record: a {@link DueItem} is one. */
export type DueRef = Pick<DueItem, 'index' | 'priority'>;

/** How much to read. */
export interface DueOptions {
  /** Most items. @defaultValue 100 */
  limit?: number;
  /** Most bytes of items together; the first is given however large it is. @defaultValue no bound */
  maxBytes?: number;
}

/** What is due now. */
export interface Due {
  /** By priority, then in the order in which they were recorded. */
  items: DueItem[];
  /** When the next of those that wait for their retry is due: Unix time in milliseconds. */
  retryAt: number | undefined;
}

/** A record that the platform refuses for good. */
export interface AsideItem extends DueItem {
  /** Why, in one line. */
  reason: string;
  /** Unix time in milliseconds. */
  setAsideAt: number;
}

/**
 * The port between the storage and delivery. Each change resolves once it is durable, and many are committed at once.
 * What the receiver has and this store was not told of is read again, with the same `ingest_id`.
 */
export interface DeliveryQueue {
  /** Records and pictures that wait for their delivery: a number that is at hand, nothing is read for it. */
  readonly waitingCount: number;
  /**
   * Reads what is due. In the lane of records the order within a priority is kept: a record that waits for its retry holds up those
   * behind it. A picture does not hold up others.
   */
  due(lane: Lane, options?: DueOptions): Promise<Due>;
  /** The receiver has them. Items that do not wait any more are passed over. @throws RunnerError `store_failed`, `closed` */
  acknowledge(items: readonly DueRef[]): Promise<void>;
  /** They failed, and are due again at `notBefore`: Unix time in milliseconds. @throws RunnerError `store_failed`, `closed` */
  retryLater(items: readonly DueRef[], notBefore: number): Promise<void>;
  /** Makes all that wait for their retry due now. @throws RunnerError `store_failed`, `closed` */
  retryNow(): Promise<void>;
  /** The receiver refuses it for good: it holds up nothing any more. @throws RunnerError `store_failed`, `closed` */
  setAside(item: DueRef, reason: string): Promise<void>;
  /** All that wait, for their retry too: by priority, then in the order in which they were recorded. */
  waiting(): AsyncIterable<DueItem>;
  /** Those that were set aside, oldest first. */
  aside(): Promise<AsideItem[]>;
  /** Puts those that were set aside back, at their old places. @throws RunnerError `store_failed`, `closed` */
  putBack(indexes: readonly number[]): Promise<void>;
  /** Called after something became due; the answer ends it. */
  onDue(listener: () => void): () => void;
}

/** How much of something there is. */
export interface Amount {
  records: number;
  /** Of the records as they are stored, with the files of their pictures. */
  bytes: number;
}

/** How an outbox stands. */
export interface OutboxStatus {
  /** Absolute path. */
  folder: string;
  /** As the platform knows it. */
  station: string;
  /** What waits for its delivery, by priority. What was set aside does not wait. */
  due: Record<Priority, Amount>;
  /** When the oldest record that waits was recorded: Unix time in milliseconds. Undefined where none does, or the disk cannot be read. */
  oldestDueAt: number | undefined;
  /** What is on disk, delivered records until their retention ends included. */
  kept: Amount;
  /** Bound of `kept.bytes`. */
  maxBytes: number;
  /** Set aside now: refused by the platform for good, and on the disk until they are put back. */
  aside: number;
  /** Taken by the platform since the outbox was made. */
  delivered: number;
  /** Failed attempts since the outbox was made, one for each record of the attempt. */
  failures: number;
  /** Given up since the outbox was made, by priority. */
  shed: Record<Priority, Amount>;
  /** The same, by reason: see {@link ShedRecord}. */
  shedBy: Record<ShedReason, Amount>;
  /** Why a picture could not be encoded last, and when (Unix time in milliseconds). Undefined where none failed since the outbox was opened. */
  lastPictureFault: { reason: string; at: number } | undefined;
  /** Records in the log since the outbox was made: the next record gets this index. */
  recorded: number;
  /** Changes that wait for the disk in memory. */
  pending: number;
  /** Why the disk takes nothing now; undefined as soon as it takes records again. */
  diskError: string | undefined;
}
