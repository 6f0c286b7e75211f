import { RunnerError, type RunnerErrorCode } from '../errors.js';

/** Media type of a problem document (RFC 9457). */
export const PROBLEM_TYPE = 'application/problem+json';

/** Faults of a request itself, before the library is asked. */
export type RequestFaultCode =
  | 'bad_request'
  | 'forbidden'
  | 'unknown_path'
  | 'method_not_allowed'
  | 'not_acceptable'
  | 'payload_too_large'
  | 'unsupported_media_type';

/** The status of each code of the library; what is not here is 500. */
export const STATUS_OF_CODE: Partial<Record<RunnerErrorCode, number>> = {
  invalid_zip: 422,
  manifest_missing: 422,
  incompatible_python: 422,
  wheels_missing: 422,
  install_failed: 422,
  activation_conflict: 409,
  unsafe_uninstall: 409,
  already_installed: 409,
  version_in_use: 409,
  version_barred: 409,
  not_found: 404,
  lock_timeout: 503,
  lock_lost: 503,
  queue_full: 503,
  pool_full: 503,
  circuit_open: 503,
  closed: 503,
  timeout: 504,
  start_failed: 502,
  worker_exited: 502,
  heartbeat_lost: 502,
  protocol_error: 502,
  contract_violation: 502,
  invalid_pid: 422,
  invalid_image: 422,
  invalid_params: 400,
  unsupported_phase: 422,
  unsupported_image: 422,
  unsupported_platform: 501,
  aborted: 499,
};

/** The status of each fault of a request. */
export const STATUS_OF_FAULT: Record<RequestFaultCode, number> = {
  bad_request: 400,
  forbidden: 403,
  unknown_path: 404,
  method_not_allowed: 405,
  not_acceptable: 406,
  payload_too_large: 413,
  unsupported_media_type: 415,
};

/** A fault of the request, thrown inside the handler and answered as a problem document. */
export class RequestFault extends Error {
  readonly code: RequestFaultCode;
  readonly headers: Record<string, string>;

  constructor(code: RequestFaultCode, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.name = 'RequestFault';
    this.code = code;
    this.headers = headers;
  }
}

/** Members of a problem document, as this handler writes them. */
export interface ProblemDocument {
  /** `urn:procvision-runner:<code>` */
  type: string;
  /** The code in words. */
  title: string;
  /** The response's status. */
  status: number;
  /** The thing, the fault and the remedy. */
  detail: string;
  /** Symbolic name of the failure. */
  code: string;
  /** Number of the specifications, such as `2001`. */
  error_code?: string;
  /** Whether the same request may succeed if made again unchanged. */
  retryable?: boolean;
  /** Facts that go with the code. */
  details?: unknown;
}

/** The fault of the request behind a failure: an upload that breaks fails the install that was reading it. */
function requestFaultOf(error: unknown): RequestFault | undefined {
  for (let found = error; found instanceof Error; found = found.cause) {
    if (found instanceof RequestFault) return found;
  }
  return undefined;
}

function statusOf(error: unknown): number {
  if (error instanceof RequestFault) return STATUS_OF_FAULT[error.code];
  return RunnerError.is(error) ? (STATUS_OF_CODE[error.code] ?? 500) : 500;
}

/**
 * The problem document of a failure. What is neither a fault of the request nor the library's own is told as
 * `internal` alone: its message may hold what is none of the caller's business.
 */
export function problemOf(failure: unknown): ProblemDocument {
  const error = requestFaultOf(failure) ?? failure;
  const status = statusOf(error);
  if (error instanceof RequestFault) {
    return document(error.code, status, error.message);
  }
  if (RunnerError.is(error)) {
    const { errorCode, retryable, details } = error;
    return {
      ...document(error.code, status, error.message),
      ...(errorCode !== undefined && { error_code: errorCode }),
      retryable,
      details,
    };
  }
  return document('internal', 500, 'The server met an unexpected fault');
}

/** The response of a failure. */
export function problemResponse(error: unknown): Response {
  const problem = problemOf(error);
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: {
      'content-type': PROBLEM_TYPE,
      'cache-control': 'no-store',
      ...(problem.status === 503 && { 'retry-after': '1' }),
      ...(error instanceof RequestFault ? error.headers : {}),
    },
  });
}

function document(code: string, status: number, detail: string): ProblemDocument {
  return {
    type: `urn:procvision-runner:${code}`,
    title: code.replaceAll('_', ' '),
    status,
    detail,
    code,
  };
}
