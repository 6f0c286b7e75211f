import { isPackageFault } from '../deploy/failure.js';
import { RunnerError } from '../errors.js';
import { withoutPaths } from '../redact-paths.js';
import { STATUS_OF_CODE, STATUS_OF_FAULT, type RequestFaultCode } from './status.js';

/** Media type of a problem document (RFC 9457). */
export const PROBLEM_TYPE = 'application/problem+json';

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
  /** The same as `detail`, where the Open Inference Protocol asks for it: under `/v2`. */
  error?: string;
  /** Facts that go with the code. */
  details?: unknown;
}

/**
 * The problem document of a failure. Paths in it are relative to the store at `root`. What is neither a fault of the request
 * nor an error of the library becomes `internal` without a message: the message may hold what the caller must not see.
 */
export function problemOf(failure: unknown, root: string): ProblemDocument {
  const fault = requestFaultOf(failure);
  if (fault) {
    const field = fieldOf(fault.message);
    return {
      ...document(fault.code, STATUS_OF_FAULT[fault.code], fault.message),
      ...(field !== undefined && { details: { path: field } }),
    };
  }
  if (!RunnerError.is(failure) || failure.code === 'internal')
    return document('internal', 500, 'The server met an unexpected fault');
  const { code, errorCode, retryable } = failure;
  const { message, details } = withoutPaths(
    { message: failure.message, details: plain(failure.details) },
    root,
  );
  return {
    ...document(code, statusOf(failure), message),
    ...(errorCode !== undefined && { error_code: errorCode }),
    retryable,
    details,
  };
}

export function problemResponse(failure: unknown, root = '', isInference = false): Response {
  const described = problemOf(failure, root);
  const problem = isInference ? { ...described, error: described.detail } : described;
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: {
      'content-type': PROBLEM_TYPE,
      'cache-control': 'no-store',
      ...([429, 503].includes(problem.status) && { 'retry-after': '1' }),
      ...requestFaultOf(failure)?.headers,
    },
  });
}

/** The fault of the request behind a failure: an upload that breaks fails the install that was reading it. */
function requestFaultOf(error: unknown): RequestFault | undefined {
  for (let found = error; found instanceof Error; found = found.cause) {
    if (found instanceof RequestFault) return found;
  }
  return undefined;
}

/** What a fault is about: a message of one begins with the name of the parameter, header, part or field. */
function fieldOf(message: string): string | undefined {
  return /^([\w$[\].-]{1,100}): /.exec(message)?.[1];
}

/** By the code, but where the same code is the client's fault one time and the machine's another. */
function statusOf(error: RunnerError): number {
  if (error.code === 'timeout' && error.details.stage === 'receive') return 408; // the upload stopped
  if (error.code === 'install_failed' && !isPackageFault(error)) return isDiskFull(error) ? 507 : 500;
  if (error.code === 'store_failed' && isDiskFull(error)) return 507;
  return STATUS_OF_CODE[error.code];
}

function isDiskFull(error: RunnerError): boolean {
  const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** What of the details can be written as JSON: they may hold what a worker or a cause brought along. */
function plain(details: object): unknown {
  try {
    // Bodies keep the names of the specification, `pids` and `pid`.
    const isOurs = (key: string) => key === 'productIds' || key === 'processId';
    return JSON.parse(
      JSON.stringify(details, (key, value: unknown) => (isOurs(key) ? undefined : value)),
    ) as unknown;
  } catch {
    return undefined;
  }
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
