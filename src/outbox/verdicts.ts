import { isRecord } from '../arguments.js';
import { RunnerError } from '../errors.js';
import type { ProvenImage } from '../frames/proof.js';
import type { ArtifactRecord, VerdictRecord } from './records.js';
import type { Evidence } from './storage/envelope.js';
import type { EncodedPicture, Inspected, InspectionFacts } from './types.js';

/** A session of calls that belong to none. */
const NO_SESSION = '-';

/** What every id of an inspection begins with. */
export function beginningOf(station: string, { sessionId = NO_SESSION, stepIndex }: InspectionFacts): string {
  return `${station}/${sessionId}/${stepIndex}`;
}

/**
 * A host may give anything: what is no answer of a supervisor would become a record of no verdict.
 *
 * @throws RunnerError `invalid_params`
 */
export function checkInspected(inspected: unknown): void {
  if (RunnerError.is(inspected)) return;
  const { status, data, timing } = isRecord(inspected) ? inspected : {};
  if (isRecord(timing) && (status === 'ERROR' || (typeof status === 'string' && isRecord(data)))) return;
  throw new RunnerError(
    'invalid_params',
    'outbox.record(): the first argument must be what execute() or inspect() answered, or the RunnerError of a call that failed',
  );
}

/** The verdict, as it stands in the record. */
export function verdictOf(inspected: Inspected): VerdictRecord['result_status'] {
  if (RunnerError.is(inspected) || inspected.status === 'ERROR') return 'ERROR';
  return inspected.data.result_status ?? 'OK';
}

/** The record of an inspection, before it has its id. */
export function verdictRecord(
  inspected: Inspected,
  facts: InspectionFacts,
  { timestampMs, station }: { timestampMs: number; station: string },
): Omit<VerdictRecord, 'ingest_id'> {
  const result = RunnerError.is(inspected) ? undefined : inspected;
  const verdict = verdictOf(inspected);
  return {
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
  const [result, error] = RunnerError.is(inspected) ? [undefined, inspected] : [inspected, undefined];
  // One literal: this runs in each call, and objects that are put together from others take several times as long.
  return {
    package_digest: facts.packageDigest ?? null,
    environment_root: facts.environmentRoot ?? null,
    parameters: facts.parameters ?? {},
    package_name: result?.name ?? null,
    package_version: result?.version ?? facts.version ?? null,
    request_id: result?.requestId ?? null,
    pictures: (result?.proof?.images ?? []).map(pictureRead),
    data: result?.data ?? null,
    message: inspected.message,
    error_code: error?.code ?? result?.errorCode ?? null,
    timing: result?.timing ?? {},
  };
}

function pictureRead({ method, checksum, sizeBytes }: ProvenImage): Evidence['pictures'][number] {
  return { method, checksum, bytes: sizeBytes };
}

/**
 * The record of a picture of an inspection. What is a thumbnail stands in its id: the platform has a type for cut-outs and none for
 * thumbnails, and may refuse a field that it does not know. `taken` has the ids of the other pictures of the verdict, which may have the same
 * bytes; the new one is added.
 */
export function artifactRecord(
  verdict: VerdictRecord,
  picture: Omit<EncodedPicture, 'encoded'>,
  { digest, bytes }: { digest: string; bytes: number },
  taken: Set<string>,
): ArtifactRecord {
  const id = `${verdict.ingest_id}/${digest.slice(0, 16)}${picture.isThumbnail === true ? '-thumbnail' : ''}`;
  let artifact_id = id;
  for (let number = 2; taken.has(artifact_id); number++) artifact_id = `${id}-${number}`;
  taken.add(artifact_id);
  return {
    artifact_id,
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
