import * as v from 'valibot';
import { ERROR_NUMBERS, RunnerError, type RunnerErrorCode } from '../../errors.js';
import type { InspectionResult } from '../../supervisor/types.js';

/** The call, as JSON in ASCII; the payload is the picture, or nothing where the call names a place of it. */
export const CALL_HEADER = 'Procvision-Call';
/** Headers of a micro service's answer that failed: ADR-32 of NATS. */
export const ERROR_HEADERS = { text: 'Nats-Service-Error', code: 'Nats-Service-Error-Code' };

const SHA256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const bytes = v.pipe(v.number(), v.safeInteger(), v.minValue(1));

/** Where a picture lies that is too large for a message. */
export interface PictureAt {
  /** `http:` or `https:` */
  url: string;
  /** SHA-256 of its bytes: 64 hexadecimal digits. */
  digest: string;
  sizeBytes: number;
}

const CALL = v.strictObject({
  v: v.literal(1),
  product_id: v.string(),
  step_index: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0))),
  user_params: v.optional(v.record(v.string(), v.unknown())),
  target: v.optional(v.strictObject({ name: v.string(), version: v.string() })),
  /** How much of the limit is left: clocks are not compared. */
  deadline_ms: v.pipe(v.number(), v.minValue(1), v.maxValue(3_600_000)),
  /** Of the payload; where it is elsewhere, also its URL. */
  picture: v.strictObject({
    digest: SHA256,
    size: bytes,
    url: v.optional(v.pipe(v.string(), v.maxLength(2_000), v.url())),
  }),
});

/** A call on the wire. */
export type RemoteCall = v.InferOutput<typeof CALL>;

/** JSON in ASCII: a header has bytes of its own encoding in other clients. */
export function callHeader(call: RemoteCall): string {
  return JSON.stringify(call).replaceAll(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** @throws RunnerError `invalid_params` */
export function readCall(header: string | undefined): RemoteCall {
  const parsed = v.safeParse(CALL, json(header ?? ''));
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const path = v.getDotPath(issue) ?? CALL_HEADER;
  throw new RunnerError('invalid_params', `The call of an inspection is wrong: ${path} ${issue.message}`, {
    details: { path },
  });
}

const ANSWER = v.union([
  v.object({
    v: v.literal(1),
    station: v.string(),
    result: v.looseObject({
      status: v.picklist(['OK', 'ERROR']),
      message: v.string(),
      data: v.record(v.string(), v.unknown()),
    }),
  }),
  v.object({
    v: v.literal(1),
    station: v.string(),
    error: v.object({
      code: v.string(),
      message: v.string(),
      error_code: v.nullish(v.string()),
      retryable: v.optional(v.boolean()),
      details: v.optional(v.record(v.string(), v.unknown())),
    }),
  }),
]);

/** What a station answers. */
export interface RemoteAnswer {
  /** Name of the station. */
  station: string;
  result: InspectionResult;
}

/** @throws RunnerError the station's own error, with its code; `protocol_error` for what is no answer */
export function readAnswer(text: string): RemoteAnswer {
  const parsed = v.safeParse(ANSWER, json(text));
  if (!parsed.success) {
    throw new RunnerError(
      'protocol_error',
      `The answer to a remote inspection is none: ${v.getDotPath(parsed.issues[0]) ?? 'no JSON'}`,
    );
  }
  const answer = parsed.output;
  if ('result' in answer) {
    return { station: answer.station, result: answer.result as unknown as InspectionResult };
  }
  const { code, message, error_code: errorCode, retryable, details = {} } = answer.error;
  const known = Object.hasOwn(ERROR_NUMBERS, code) ? (code as RunnerErrorCode) : 'unknown';
  throw new RunnerError<RunnerErrorCode>(known, `Station ${answer.station}: ${message}`, {
    details,
    ...(retryable !== undefined && { retryable }),
    ...(errorCode != null && { errorCode }),
  });
}

function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
