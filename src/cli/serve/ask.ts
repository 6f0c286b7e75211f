import { CliFailure, EXIT, usage } from '../host.js';
import type { Call } from '../spec.js';
import { findFile } from '../store.js';
import { readToken } from './token.js';

/** What a running `serve` is asked. */
interface Question<T> {
  /** Its address, and the flag that named it. */
  address: string;
  flag: '--through' | '--url';
  method: 'GET' | 'POST';
  path: string;
  body?: object;
  /** What it is asked for, as in "refused the switch". */
  what: string;
  /** What to do where nobody answers. */
  start?: string;
  /** Whether an answer has the form that a `serve` gives it. */
  isAnswer: (answer: unknown) => answer is T;
}

/** @throws CliFailure 2 for what is no address of a `serve` */
export function checkAddress(flag: string, address: string): void {
  if (URL.canParse(address) && /^https?:$/.test(new URL(address).protocol)) return;
  throw usage(`${flag} takes the address of a running serve, such as http://127.0.0.1:8080, not ${address}`);
}

/**
 * Asks a running `serve`, with the token of `--token-file`.
 *
 * @throws CliFailure 1 where nobody answers, it refuses, or another program answers; 2 for what is no address; 3 where it does not
 * know what is named
 */
export async function askServe<T>(
  call: Call,
  { address, flag, method, path, body, what, isAnswer, start }: Question<T>,
): Promise<T> {
  checkAddress(flag, address);
  const { tokenFile } = call.options as { tokenFile?: string };
  const token =
    tokenFile === undefined ? undefined : await readToken(await findFile(call, tokenFile, 'token file'));
  let response: Response;
  try {
    response = await fetch(`${address.replace(/\/+$/, '')}${path}`, {
      method,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
      redirect: 'manual', // a serve sends nobody elsewhere: the token stays here, and the status is reported
      signal: call.signal,
    });
  } catch (cause) {
    if (call.signal.aborted) throw cause;
    const { cause: reason = cause } = cause as { cause?: unknown };
    const remedy = start ?? `Is it running, and does ${flag} have the address that it printed?`;
    throw new CliFailure(
      `No serve answers at ${address}: ${(reason as Error).message}. ${remedy}`,
      EXIT.failed,
      'unreachable',
    );
  }
  const isJson = /^application\/(?:problem\+)?json\b/.test(response.headers.get('content-type') ?? '');
  const answer: unknown = isJson ? await response.json().catch(() => undefined) : undefined;
  if (response.ok && isAnswer(answer)) return answer;
  const problem = (answer ?? {}) as { code?: unknown; detail?: unknown };
  if (!response.ok && typeof problem.code === 'string') {
    throw new CliFailure(
      `The serve at ${address} refused ${what} (${problem.code}): ${String(problem.detail)}`,
      response.status === 404 ? EXIT.notFound : EXIT.failed,
      problem.code,
    );
  }
  const { status, statusText, headers } = response;
  const place = headers.get('location');
  throw new CliFailure(
    `What answers at ${address} is no serve of procvision-runner: ${`${status} ${statusText}`.trim()}${place === null ? '' : ` to ${place}`}. Does ${flag} have the address that a serve printed?`,
    EXIT.failed,
  );
}
