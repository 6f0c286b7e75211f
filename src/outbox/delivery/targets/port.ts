import type { ArtifactRecord } from '../../records.js';

/** A record as it goes out. Its JSON is made once: each attempt sends the same bytes. */
export interface OutgoingRecord {
  /** By which the receiver knows it again. */
  ingestId: string;
  /** One JSON object, in UTF-8. */
  json: Uint8Array;
}

/** A picture as it goes out. */
export interface OutgoingPicture {
  /** What it is; `size_bytes` is its length. */
  artifact: ArtifactRecord;
  /** SHA-256 of its bytes, lower-case hex. */
  sha256: string;
  /** A smaller one beside the whole picture. */
  isThumbnail?: boolean;
  /** Its bytes from the first one on, in pieces of any length; called anew for each attempt. */
  open(): AsyncIterable<Uint8Array>;
}

/**
 * What came of an attempt. `refused` is for good: the same bytes would be refused again. `failed` says nothing about what was sent:
 * it may have been stored, and it is sent again.
 */
export type Outcome =
  | { state: 'taken' }
  | { state: 'refused'; reason: string }
  | {
      state: 'failed';
      /** Who has to do something: `network` (no line), `credentials` (token, certificate), `platform` (all other answers). */
      cause: FailureCause;
      reason: string;
      /** The least time before the next attempt, as the answer asked. */
      retryAfterMs?: number;
      /** Whether one record can be to blame: a server that fails over its content says 500, as a server that fails over everything does. */
      mayBeOfARecord?: true;
    };

/** Whose fault a failed attempt is. */
export type FailureCause = 'network' | 'credentials' | 'platform';

/** One attempt: its end and its pace. */
export interface Attempt {
  /** Fires when the time of the attempt is over or delivery ends. */
  readonly signal: AbortSignal;
  /** Waits until so many bytes may leave. The time of the attempt stands still until then. */
  pace(bytes: number): Promise<void>;
}

/** When a batch is closed: at the first of the three. */
export interface BatchLimits {
  records: number;
  /** Of the batch as it is sent, with what stands between the records. */
  bytes: number;
  /** Since its first record. */
  waitMs: number;
}

/** Where records and pictures go: bytes in, outcome out. It keeps nothing between attempts. */
export interface DeliveryTarget {
  /** For people: an address without credentials. */
  readonly title: string;
  readonly limits: BatchLimits;
  /** Sends a batch whole, in its order. */
  sendRecords(records: readonly OutgoingRecord[], attempt: Attempt): Promise<Outcome>;
  /** Sends a picture whole. */
  sendPicture(picture: OutgoingPicture, attempt: Attempt): Promise<Outcome>;
  close(): Promise<void>;
}

/** A batch closes at 100 records, 1 s or 256 KB, as the platform asks. */
export const PLATFORM_LIMITS: BatchLimits = { records: 100, bytes: 256 * 1024, waitMs: 1_000 };

/** What was sent is stored where it belongs. */
export const TAKEN: Outcome = { state: 'taken' };

/** Bytes that are asked for at once of the limit of bandwidth, and written at once. */
export const PIECE_BYTES = 16 * 1024;

/** The JSON array of a batch. */
export function arrayOf(records: readonly OutgoingRecord[]): Uint8Array {
  const parts = records.flatMap(({ json }, index) => [index === 0 ? OPEN : COMMA, json]);
  return Buffer.concat([...parts, CLOSE]);
}

/** The records of a batch, one on each line. */
export function linesOf(records: readonly OutgoingRecord[]): Uint8Array {
  return Buffer.concat(records.flatMap(({ json }) => [json, NEWLINE]));
}

const [OPEN, COMMA, CLOSE, NEWLINE] = ['[', ',', ']', '\n'].map((text) => Buffer.from(text)) as [
  Buffer,
  Buffer,
  Buffer,
  Buffer,
];

/** What a receiver that is no platform gets to know of a picture: all that is known. */
export function aboutOf({ artifact, sha256, isThumbnail }: OutgoingPicture): object {
  return { ...artifact, sha256, is_thumbnail: isThumbnail === true };
}

/** The bytes of a source in pieces of one length; the last one is shorter. */
export async function* piecesOf(
  source: AsyncIterable<Uint8Array>,
  length: number,
): AsyncGenerator<Uint8Array> {
  let kept: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source) {
    for (let rest = chunk; rest.length > 0;) {
      const part = rest.subarray(0, length - size);
      rest = rest.subarray(part.length);
      kept.push(part);
      size += part.length;
      if (size < length) continue;
      yield kept.length === 1 ? part : Buffer.concat(kept);
      kept = [];
      size = 0;
    }
  }
  if (size > 0) yield Buffer.concat(kept);
}
