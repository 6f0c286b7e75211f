import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { usage } from '../host.js';

const LEAST_CHARACTERS = 16;

/** The token of a file: its one line. @throws CliFailure 2 when it is short enough to be guessed */
export async function readToken(file: string): Promise<string> {
  const token = (await readFile(file, 'utf8')).trim();
  if (token.length >= LEAST_CHARACTERS && /^[\x21-\x7e]+$/.test(token)) return token;
  throw usage(
    `The token in ${file} must be one line of at least ${LEAST_CHARACTERS} characters without spaces: openssl rand -hex 32 > ${file}`,
  );
}

/** What `authorize` of the handler answers for requests that must bring a token. */
export function requireToken(token: string) {
  const expected = digestOf(`Bearer ${token}`);
  return (request: Request) => {
    const given = digestOf(request.headers.get('authorization') ?? '');
    // Digests are of one length, so that the time of the comparison tells nothing.
    if (timingSafeEqual(expected, given)) return true;
    return { allowed: false, status: 401 as const, challenge: 'Bearer realm="procvision-runner"' };
  };
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/**
 * Without a token only programs of this machine are answered: a page that a browser has open could post here as well, and a
 * name that leads here could be anybody's (DNS rebinding). Both show in the headers.
 */
export function isOfThisMachine(request: Request): boolean {
  const { hostname, host } = new URL(request.url);
  const origin = request.headers.get('origin');
  return isLoopback(hostname) && (origin === null || (URL.canParse(origin) && new URL(origin).host === host));
}

/** Whether an address is reached from this machine alone. */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || /^127(?:\.\d{1,3}){3}$/.test(address) || /^\[?::1\]?$/.test(address);
}
