/**
 * What a station has seen, kept until the platform has it: durable records with their pictures, delivery once and in order, and
 * signed receipts. The store, `classic-level`, is an optional peer.
 *
 * @packageDocumentation
 */
export {
  deliver,
  type DeliverableOutbox,
  type DeliveryReport,
  type Delivery,
  type DeliveryStatus,
} from './delivery/delivery.js';
export type { ExportReport } from './delivery/export.js';
export type { HttpTargetOptions } from './delivery/http/platform.js';
export type { DeliveryFault, NetworkState, Sent } from './delivery/lanes/progress.js';
export type { DeliveryOptions, DeliverySettings } from './delivery/options.js';
export type { NatsTargetOptions } from './delivery/targets/nats-stream.js';
export type { FailureCause } from './delivery/targets/port.js';
export type { S3TargetOptions } from './delivery/targets/s3-bucket.js';
export type { TlsFiles } from './delivery/targets/tls-files.js';
export { Outbox } from './outbox.js';
export { headIn } from './log/heads.js';
export type { SignedHead } from './log/heads.js';
export { checkConsistency, checkProof } from './receipts/check.js';
export type { ConsistencyProof, RecordProof } from './receipts/proofs.js';
export { verifyReceipts } from './receipts/verify.js';
export type { ReceiptFault, ReceiptsReport, VerifyReceiptsOptions } from './receipts/verify.js';
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
  InspectedImage,
  InspectionFacts,
  Lane,
  OutboxOptions,
  OutboxStatus,
  PictureRules,
  Priority,
  RecordBody,
  RecordKind,
  ShedFacts,
  ShedReason,
  StoredReceipt,
} from './types.js';
