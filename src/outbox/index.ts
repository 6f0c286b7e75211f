/**
 * What a station has seen, kept until the platform has it: durable records with their pictures, delivery once and in order, and
 * signed receipts. The store, `lmdb`, is an optional peer.
 *
 * @packageDocumentation
 */
export type { ArtifactRecord, VerdictRecord } from './records.js';
