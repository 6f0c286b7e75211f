import type { RecordBody, RecordKind } from '../types.js';

/** What the log says of records that were removed, so that others that are missing are found. */
export interface RemovalStatement {
  kind: 'removal';
  /** Unix time in milliseconds. */
  recorded_at: number;
  /** By digit of the priority: records before this index were removed. */
  through: number[];
  /** Indexes of those before that were not. */
  stay: number[];
}

/** A record as it is stored: JSON. Its bytes are what the log's leaf is made of, and never change. */
export interface Envelope {
  /** Place in the log. */
  index: number;
  kind: RecordKind;
  /** Unix time in milliseconds. */
  recorded_at: number;
  body: RecordBody;
  /** Of its file, where it is a picture: SHA-256 in hexadecimal digits, and bytes. */
  picture?: { digest: string; bytes: number; isThumbnail?: true };
  /** What a verdict was made of. */
  evidence?: Evidence;
}

/** What a verdict was made of, for who checks it later. */
export interface Evidence {
  package_name: string | null;
  package_version: string | null;
  package_digest: string | null;
  environment_root: string | null;
  parameters: Readonly<Record<string, unknown>>;
  request_id: string | null;
  /** What the worker has read, by its own proof. */
  pictures: { method: string; checksum: string; bytes: number }[];
  /** The answer's `data`, as the algorithm sent it. */
  data: unknown;
  message: string;
  error_code: string | null;
  timing: Readonly<Record<string, number>>;
}

/** The mark of a record that waits for its delivery, where something is to be said of it: most have none. */
export interface DueMark {
  attempts: number;
  /** Unix time in milliseconds. */
  notBefore: number;
}

/** The mark of a record that waits no more, while one before it does. */
export interface SettledMark {
  isSettled: true;
}

/** What is said of the delivery of a record. */
export type Mark = DueMark | SettledMark;

/** The mark of a record that was set aside. */
export interface AsideMark extends DueMark {
  digit: number;
  /** Of the record and its file. */
  bytes: number;
  reason: string;
  setAsideAt: number;
}

/** Reads a stored record. @throws SyntaxError where it is no JSON */
export function envelopeIn(value: Buffer): Envelope {
  return JSON.parse(value.toString()) as Envelope;
}

/** Reads a mark. @throws SyntaxError where it is no JSON */
export function markIn(value: Buffer): Mark {
  return JSON.parse(value.toString()) as Mark;
}

/** Reads a mark. @throws SyntaxError where it is no JSON */
export function asideMarkIn(value: Buffer): AsideMark {
  return JSON.parse(value.toString()) as AsideMark;
}

/** Bytes of a stored record, those of its file included. */
export function bytesOf(value: Buffer, envelope: Envelope): number {
  return value.length + (envelope.picture?.bytes ?? 0);
}
