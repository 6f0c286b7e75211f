/**
 * What a station has seen, kept until the platform has it: durable records with their pictures, delivery once and in order, and
 * signed receipts. The store, `classic-level`, is an optional peer.
 *
 * @packageDocumentation
 */
export { Outbox } from './outbox.js';
export type { ArtifactRecord, EventRecord, ShedRecord, VerdictRecord } from './records.js';
export type {
  Amount,
  AsideItem,
  DeliveryQueue,
  Due,
  DueItem,
  DueOptions,
  DuePicture,
  DueRef,
  EncodedPicture,
  Inspected,
  InspectionFacts,
  Lane,
  OutboxOptions,
  OutboxStatus,
  Priority,
  RecordBody,
  RecordKind,
  StoredReceipt,
} from './types.js';
