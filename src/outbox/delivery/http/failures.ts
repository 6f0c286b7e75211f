import { RunnerError } from '../../../errors.js';
import type { Outcome } from '../targets/port.js';

/** Codes of Node and OpenSSL for certificates: those of the platform, and ours as the platform sees them. */
const OF_CERTIFICATES = /CERT|SSL|TLS|SIGNATURE|SELF_SIGNED|ISSUER/;

/** What a failure of the line means: it says nothing about what was sent. Anything else is thrown on. */
export function failureOf(error: unknown, what: string): Outcome {
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (RunnerError.is(error, 'aborted')) {
    return { state: 'failed', cause: 'network', reason: `${what} was not answered in time` };
  }
  if (OF_CERTIFICATES.test(code)) {
    const reason = `${what}: ${message} (${code}). Look at the certificate of the platform, at tls.caFile and at the client certificate`;
    return { state: 'failed', cause: 'credentials', reason };
  }
  const reason = `${what}: ${message === '' ? code : message}`;
  return { state: 'failed', cause: 'network', reason };
}
