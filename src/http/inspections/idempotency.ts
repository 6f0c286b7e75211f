import { createHash } from 'node:crypto';
import { RequestFault } from '../problem.js';

/** How long an answer is kept, and how many at most. */
const KEPT_MS = 600_000;
const MOST_ANSWERS = 1_000;
const MOST_BYTES = 16 * 2 ** 20;

/** Letters of a key: what can be seen, without the quotes that some clients put around it. */
const KEY = /^"?([\x21\x23-\x7e]{1,255})"?$/;

interface Kept {
  /** Of the whole request. */
  fingerprint: string;
  /** Undefined while it is being worked on. */
  answer?: string;
  until: number;
}

/** What makes a request the same request. */
export interface KeyedRequest {
  key: string | null;
  /** Whose keys they are: two callers may choose the same. */
  scope: readonly string[];
  /** Everything that the answer depends on. */
  content: readonly (string | Uint8Array)[];
}

/**
 * Answers by `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a request that comes again after its answer was
 * lost gets that answer, and the algorithm is not run twice. Failures are not kept: the request may be made again. The oldest
 * answers go when there are too many, or too large ones.
 */
export class KeptAnswers {
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  /**
   * Gives the kept answer, or works it out and keeps it.
   *
   * @throws RequestFault `idempotency_conflict` while the same request is under way, `idempotency_mismatch` for a key that was
   * used for another one, `bad_request` for a key that is none; and what `work` throws
   */
  async once(
    { key, scope, content }: KeyedRequest,
    work: () => Promise<string>,
  ): Promise<{ answer: string; isKept: boolean }> {
    if (key === null) return { answer: await work(), isKept: false };
    const [, plain] = KEY.exec(key) ?? [];
    if (plain === undefined) {
      throw new RequestFault('bad_request', 'Idempotency-Key: must be 1 to 255 visible ASCII characters');
    }
    const name = JSON.stringify([...scope, plain]);
    const fingerprint = fingerprintOf(content);
    this.#forgetOld();
    const known = this.#kept.get(name);
    if (known) return { answer: answerOf(known, fingerprint), isKept: true };
    const entry: Kept = { fingerprint, until: Infinity };
    this.#kept.set(name, entry);
    try {
      const answer = await work();
      this.#keep(name, entry, answer);
      return { answer, isKept: false };
    } finally {
      if (entry.answer === undefined) this.#kept.delete(name);
    }
  }

  #keep(name: string, entry: Kept, answer: string): void {
    entry.answer = answer;
    entry.until = performance.now() + KEPT_MS;
    this.#bytes += answer.length;
    // By the time at which they were answered.
    this.#kept.delete(name);
    this.#kept.set(name, entry);
    this.#forgetOld();
  }

  #forgetOld(): void {
    const now = performance.now();
    for (const [name, { until, answer }] of this.#kept) {
      if (answer === undefined) continue; // it is being worked on
      if (until > now && this.#kept.size <= MOST_ANSWERS && this.#bytes <= MOST_BYTES) return;
      this.#kept.delete(name);
      this.#bytes -= answer.length;
    }
  }
}

function answerOf({ fingerprint: kept, answer }: Kept, fingerprint: string): string {
  if (kept !== fingerprint) {
    throw new RequestFault(
      'idempotency_mismatch',
      'Idempotency-Key: was used for another request. Give each request a key of its own',
    );
  }
  if (answer !== undefined) return answer;
  throw new RequestFault(
    'idempotency_conflict',
    'Idempotency-Key: the request with this key is under way. Ask again after the time in Retry-After',
    { 'retry-after': '1' },
  );
}

function fingerprintOf(content: KeyedRequest['content']): string {
  const hash = createHash('sha256');
  for (const part of content) hash.update(`${part.length}:`).update(part);
  return hash.digest('base64');
}
