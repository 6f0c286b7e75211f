import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { usage } from '../host.js';
import { isProbe, withoutReasons } from './open-health.js';

const LEAST_CHARACTERS = 16;

/** The token of a file: its one line. @throws CliFailure 2 when it is short enough to be guessed */
export async function readToken(file: string): Promise<string> {
  const token = (await readFile(file, 'utf8')).trim();
  if (token.length >= LEAST_CHARACTERS && /^[\x21-\x7e]+$/.test(token)) return token;
  throw usage(
    `${file} holds no token: that is one line of at least ${LEAST_CHARACTERS} characters without spaces. Make one in a new file, and name that: openssl rand -hex 32 > station.token`,
  );
}

/** Whether a request brings the token. */
function tokenCheck(token: string): (request: Request) => boolean {
  const expected = digestOf(`Bearer ${token}`);
  // Digests are of one length, so that the time of the comparison tells nothing.
  return (request) => timingSafeEqual(expected, digestOf(request.headers.get('authorization') ?? ''));
}

/**
 * What a server with a token answers by: `authorize` for its handler, and the handler with open probes. A request that asks how the
 * server is needs none, and learns no more than that.
 */
export function requireToken(token: string) {
  const hasToken = tokenCheck(token);
  return {
    authorize: (request: Request) => {
      if (hasToken(request) || isProbe(request)) return true;
      return { allowed: false, status: 401 as const, challenge: 'Bearer realm="procvision-runner"' };
    },
    around: (handle: (request: Request) => Promise<Response>) => async (request: Request) => {
      const response = await handle(request);
      return hasToken(request) || !isProbe(request) ? response : withoutReasons(response);
    },
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
