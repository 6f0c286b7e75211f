import { RunnerError } from '../../errors.js';
import type { NatsPeers } from './peers.js';

/** Which of the server's answers the library has a code for: see `JSApiError` in errors.json of nats-server. */
const API_ERRORS = {
  wrongLastSequence: [10071, 10164],
  streamNotFound: [10059],
  messageTooLarge: [10054],
};

/** A failure of the client or of the server, by our codes. `what` is the operation: `get of desired.A`. */
export function natsError(
  { transport, jetstream }: NatsPeers,
  error: unknown,
  { what, key, timeoutMs }: { what: string; key: string; timeoutMs: number },
): RunnerError {
  if (RunnerError.is(error)) return error;
  const { errors } = transport;
  const said = error instanceof Error ? error.message : String(error);
  const cause = error;
  if (error instanceof errors.TimeoutError) {
    return new RunnerError(
      'timeout',
      `The server of the fleet did not answer the ${what} in ${timeoutMs} ms: it is asked again at the next occasion`,
      { cause, details: { timeoutMs } },
    );
  }
  if (isSlowLogin(errors, error)) {
    return new RunnerError(
      'unreachable',
      `The ${what} took longer than the server of the fleet waits for a user (${said}): one of them is busy, and it is tried again`,
      { cause },
    );
  }
  if (isDenied(errors, error)) {
    return new RunnerError(
      'denied',
      `The server of the fleet refuses the ${what} to this user (${said}): look at its permissions (procvision-runner fleet permissions)`,
      { cause },
    );
  }
  if (error instanceof jetstream.JetStreamApiError) {
    if (API_ERRORS.wrongLastSequence.includes(error.code)) {
      return new RunnerError('conflict', `${key} was written by another one first: read it again`, {
        cause,
        details: { path: key },
      });
    }
    if (API_ERRORS.streamNotFound.includes(error.code)) {
      return new RunnerError('not_found', missing(what), { cause });
    }
    if (API_ERRORS.messageTooLarge.includes(error.code)) return tooLarge(what, key, said, cause);
  }
  if (error instanceof errors.InvalidArgumentError && said.includes('max_payload')) {
    return tooLarge(what, key, said, cause);
  }
  const remedy = ofCertificate(error);
  if (remedy !== undefined) {
    return new RunnerError(
      'unreachable',
      `The ${what} did not reach the server of the fleet, whose certificate is not taken (${said}): ${remedy}`,
      { cause },
    );
  }
  if (isUnanswered(errors, error)) return new RunnerError('unreachable', missing(what), { cause });
  return new RunnerError('unreachable', `The ${what} did not reach the server of the fleet: ${said}`, {
    cause,
  });
}

const AUTHORITY = 'give the authority that it comes from as tls.caFile';
/** Codes of OpenSSL and Node for a certificate of the server that is not taken (nodejs.org/api/tls.html), and what to do. */
const CERTIFICATE_REMEDIES: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: AUTHORITY,
  DEPTH_ZERO_SELF_SIGNED_CERT: AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: AUTHORITY,
  CERT_HAS_EXPIRED: 'renew it, or set the clock of this machine',
  CERT_NOT_YET_VALID: 'set the clock of this machine',
  ERR_TLS_CERT_ALTNAME_INVALID: 'reach the server by a name or an address that its certificate has',
};

function ofCertificate(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return CERTIFICATE_REMEDIES[(error as NodeJS.ErrnoException).code ?? ''] ?? ofCertificate(error.cause);
}

type ErrorClasses = NatsPeers['transport']['errors'];

/** Nobody listens: JetStream is off or still starting, or the bucket or stream is not there. The client wraps it in two ways. */
function isUnanswered(errors: ErrorClasses, error: unknown): boolean {
  if (error instanceof errors.RequestError && error.isNoResponders()) return true;
  return error instanceof Error && error.cause !== undefined && isUnanswered(errors, error.cause);
}

/** "Authentication Timeout" has the class of a refusal: after a restart of the server all stations of a plant log in at once. */
function isSlowLogin(errors: ErrorClasses, error: unknown): boolean {
  return error instanceof errors.AuthorizationError && /timeout/i.test(error.message);
}

function isDenied(errors: ErrorClasses, error: unknown): boolean {
  if (
    error instanceof errors.PermissionViolationError ||
    error instanceof errors.AuthorizationError ||
    error instanceof errors.UserAuthenticationExpiredError
  ) {
    return true;
  }
  return error instanceof Error && error.cause !== undefined && isDenied(errors, error.cause);
}

function missing(what: string): string {
  return `The server of the fleet is there, but nothing answers the ${what}: it is still starting, or the bucket and the stream must be made (createFleet(), procvision-runner fleet up)`;
}

function tooLarge(what: string, key: string, said: string, cause: unknown): RunnerError {
  return new RunnerError('invalid_params', `The ${what} is too large for the server of the fleet: ${said}`, {
    cause,
    details: { path: key },
  });
}
