import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Attempt, OutgoingPicture, OutgoingRecord } from '../../../src/outbox/delivery/targets/port.js';
import type { ArtifactRecord, VerdictRecord } from '../../../src/outbox/records.js';

/** A verdict of a station. */
export function verdict(number: number, over: Partial<VerdictRecord> = {}): VerdictRecord {
  const timestamp_ms = 1_700_000_000_000 + number;
  return {
    ingest_id: `ws-1/s-1/1/${timestamp_ms}`,
    ...{ timestamp_ms, workstation_id: 'ws-1', session_id: 's-1', step_index: 1 },
    ...{ pid: 'A01', trace_id: 'f'.repeat(32), status: 'OK', latency_ms: 12.5, model_version: '1.0.0' },
    ...{ result_status: 'NG', ng_reason: 'scratch', defect_rects_count: 2 },
    ...over,
  };
}

export function outgoing(record: { ingest_id: string }): OutgoingRecord {
  return { ingestId: record.ingest_id, json: Buffer.from(JSON.stringify(record)) };
}

export function artifactOf(bytes: Uint8Array, over: Partial<ArtifactRecord> = {}): ArtifactRecord {
  return {
    ...{ artifact_id: 'art-1', ingest_id: 'ws-1/s-1/1/1700000000001', session_id: 's-1', pid: 'A01' },
    ...{ type: 'ng_image', content_type: 'image/jpeg', size_bytes: bytes.length },
    ...{ result_status: 'NG', ng_reason: 'scratch', camera_id: 'cam-1', width: 640, height: 480 },
    ...over,
  };
}

export function picture(bytes: Uint8Array, over: Partial<ArtifactRecord> = {}): OutgoingPicture {
  return {
    artifact: artifactOf(bytes, over),
    sha256: createHash('sha256').update(bytes).digest('hex'),
    open: () => Readable.from([bytes]),
  };
}

/** An attempt without a limit. */
export function attempt(signal: AbortSignal = new AbortController().signal): Attempt {
  return { signal, pace: () => Promise.resolve() };
}
