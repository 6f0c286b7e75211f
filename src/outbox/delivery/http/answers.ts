import type { HttpAnswer } from './client.js';
import { TAKEN, type Outcome } from '../targets/port.js';

/** Answers that speak about the bytes which were sent: the same bytes would be answered in the same way. */
const OF_THE_BYTES = new Set([400, 406, 409, 411, 413, 415, 416, 417, 422, 431]);
/**
 * What nginx says with 400 of the line to it, where it knows codes of its own (`ngx_http_special_response.c`: 494 to 497): it has not
 * looked at what was sent.
 */
const OF_THE_LINE = /SSL certificate|Header Or Cookie Too Large|plain HTTP request was sent/i;
/** Codes of S3 that speak of the object. All others speak of the address, the line or the time (`RequestTimeout` comes with 400). */
const OF_THE_OBJECT = /^(?:EntityTooLarge|InvalidArgument|KeyTooLongError|MetadataTooLarge)$/;
const OF_THE_CREDENTIALS = new Set([401, 403, 407, 511]);
/** Longest that an answer can ask to wait. */
const MOST_RETRY_AFTER_MS = 3_600_000;
const MOST_QUOTED = 200;

/**
 * What an answer to a log or a commit means: taken only with a 2xx and `{"status": "OK"}`. A proxy that shows a page of its own with a
 * 200 has stored nothing.
 */
export function outcomeOf(answer: HttpAnswer, what: string, now: () => number = Date.now): Outcome {
  const bad = refusalOf(answer, what, now);
  if (bad) return bad;
  const { status } = (parsed(answer.body) ?? {}) as { status?: unknown };
  if (status === 'OK') return TAKEN;
  return failed(
    `${what} was answered with ${answer.status}, but not with {"status": "OK"}: ${quoted(answer)}`,
  );
}

/**
 * What an answer means that is no 2xx; undefined for a 2xx. Those of 4xx that speak of the address, the method or the server say nothing
 * about a record: a platform that is set up wrongly for an hour must not sort out all records of that hour.
 */
export function refusalOf(
  answer: HttpAnswer,
  what: string,
  now: () => number = Date.now,
): Exclude<Outcome, { state: 'taken' }> | undefined {
  const { status, headers } = answer;
  if (status >= 200 && status < 300) return undefined;
  if (status === 400 && OF_THE_LINE.test(answer.body)) {
    const reason = `${what} was answered with 400 before it was read: look at the client certificate and the token. ${quoted(answer)}`;
    return { state: 'failed', cause: 'credentials', reason };
  }
  if (OF_THE_BYTES.has(status)) {
    return { state: 'refused', reason: `${what} was refused with ${status}: ${quoted(answer)}` };
  }
  const retryAfterMs = retryAfterOf(headers['retry-after'], now);
  const after = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (OF_THE_CREDENTIALS.has(status)) {
    const reason = `${what} was answered with ${status}: look at the token or the client certificate. ${quoted(answer)}`;
    return { state: 'failed', cause: 'credentials', reason, ...after };
  }
  if (status >= 300 && status < 400) {
    const to = headers.location ?? 'an address that it does not name';
    return failed(
      `${what} was redirected to ${to}, which is not followed: set the url to where the platform is`,
    );
  }
  return { ...failed(`${what} was answered with ${status}: ${quoted(answer)}`), ...after };
}

/** What an answer of the storage means that is no 2xx. Where it names a code of S3, that decides whether the object is to blame. */
export function refusalOfStorage(answer: HttpAnswer, what: string): ReturnType<typeof refusalOf> {
  const refusal = refusalOf(answer, what);
  const [, code] = /<Code>(\w+)<\/Code>/.exec(answer.body) ?? [];
  if (refusal?.state !== 'refused' || code === undefined || OF_THE_OBJECT.test(code)) return refusal;
  return failed(`${what} was answered with ${answer.status} ${code}: ${quoted(answer)}`);
}

/** The JSON of an answer; undefined where it is none. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** A failure that the platform answers for. */
export function failed(reason: string): Extract<Outcome, { state: 'failed' }> {
  return { state: 'failed', cause: 'platform', reason };
}

/** Seconds or a date (RFC 9110, 10.2.3). */
function retryAfterOf(header: string | undefined, now: () => number): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1_000 : Date.parse(header) - now();
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), MOST_RETRY_AFTER_MS) : undefined;
}

function quoted({ body }: HttpAnswer): string {
  // Control characters of an answer must not reach a terminal.
  const text = body
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, MOST_QUOTED);
  return text === '' ? 'the answer is empty' : text;
}
