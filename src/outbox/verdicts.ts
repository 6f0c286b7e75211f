import { RunnerError } from '../errors.js';
import type { InspectionResult } from '../supervisor/types.js';
import type { ArtifactRecord, VerdictRecord } from './records.js';
import type { Evidence } from './storage/envelope.js';
import type { EncodedPicture, Inspected, InspectionFacts } from './types.js';

/** A session of calls that belong to none. */
const NO_SESSION = '-';

/** What every id of an inspection begins with. */
export function beginningOf(station: string, { sessionId = NO_SESSION, stepIndex }: InspectionFacts): string {
  return `${station}/${sessionId}/${stepIndex}`;
}

/** The verdict, as it stands in the record. */
export function verdictOf(inspected: Inspected): VerdictRecord['result_status'] {
  if (RunnerError.is(inspected) || inspected.status === 'ERROR') return 'ERROR';
  return inspected.data.result_status ?? 'OK';
}

/** The record of an inspection. */
export function verdictRecord(
  inspected: Inspected,
  facts: InspectionFacts,
  { ingestId, timestampMs, station }: { ingestId: string; timestampMs: number; station: string },
): VerdictRecord {
  const result = RunnerError.is(inspected) ? undefined : inspected;
  const verdict = verdictOf(inspected);
  return {
    ingest_id: ingestId,
    timestamp_ms: timestampMs,
    workstation_id: station,
    session_id: facts.sessionId ?? NO_SESSION,
    step_index: facts.stepIndex,
    pid: facts.productId,
    trace_id: facts.traceId ?? result?.requestId ?? '',
    status: result?.status ?? 'ERROR',
    latency_ms: result?.timing.totalMs ?? 0,
    model_version: result?.version ?? facts.version ?? '',
    result_status: verdict,
    ng_reason: verdict === 'NG' ? (result?.data.ng_reason ?? null) : null,
    defect_rects_count: result?.data.defect_rects?.length ?? 0,
  };
}

/** What the verdict was made of. */
export function evidenceOf(inspected: Inspected, facts: InspectionFacts): Evidence {
  const given = {
    package_digest: facts.packageDigest ?? null,
    environment_root: facts.environmentRoot ?? null,
    parameters: facts.parameters ?? {},
  };
  if (RunnerError.is(inspected)) return { ...given, ...evidenceOfFailure(inspected, facts) };
  return { ...given, ...evidenceOfResult(inspected) };
}

type Found = Omit<Evidence, 'package_digest' | 'environment_root' | 'parameters'>;

function evidenceOfFailure(error: RunnerError, { version }: InspectionFacts): Found {
  return {
    package_name: null,
    package_version: version ?? null,
    request_id: null,
    pictures: [],
    data: null,
    message: error.message,
    error_code: error.code,
    timing: {},
  };
}

function evidenceOfResult(result: InspectionResult): Found {
  return {
    package_name: result.name,
    package_version: result.version,
    request_id: result.requestId,
    pictures: (result.proof?.images ?? []).map(({ method, checksum, sizeBytes }) => ({
      method,
      checksum,
      bytes: sizeBytes,
    })),
    data: result.data,
    message: result.message,
    error_code: result.errorCode ?? null,
    timing: { ...result.timing },
  };
}

/** The record of a picture of an inspection. */
export function artifactRecord(
  verdict: VerdictRecord,
  picture: Omit<EncodedPicture, 'encoded'>,
  { digest, bytes }: { digest: string; bytes: number },
): ArtifactRecord {
  return {
    artifact_id: `${verdict.ingest_id}/${digest.slice(0, 16)}`,
    ingest_id: verdict.ingest_id,
    session_id: verdict.session_id,
    pid: verdict.pid,
    type: picture.type ?? 'ng_image',
    content_type: picture.contentType,
    size_bytes: bytes,
    result_status: verdict.result_status,
    ng_reason: verdict.ng_reason,
    camera_id: picture.cameraId ?? null,
    width: picture.width,
    height: picture.height,
  };
}
