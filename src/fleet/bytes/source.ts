import type { Agent, IncomingMessage, RequestOptions } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { abortError, listenForAbort, throwIfAborted, type OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';

/** Why a source gave nothing. */
export type SourceFaultKind =
  /** It does not have it. */
  | 'missing'
  /** It cannot be reached, stalls, or broke off: it may do better later. */
  | 'away'
  /** It does not let this station in. */
  | 'refused'
  /** What it sends is not what was asked for: it is not asked again. */
  | 'wrong';

/** What a source did instead of giving what was asked for. */
export class SourceFault extends Error {
  readonly kind: SourceFaultKind;
  /** Asks to be left alone for so long, in milliseconds. */
  readonly waitMs: number | undefined;
  /** Bytes that came before. */
  readonly bytes: number;

  constructor(
    kind: SourceFaultKind,
    message: string,
    o: { cause?: unknown; waitMs?: number | undefined; bytes?: number } = {},
  ) {
    super(message, { cause: o.cause });
    this.bytes = o.bytes ?? 0;
    this.kind = kind;
    this.waitMs = o.waitMs;
  }
}

/** How sources are asked. */
export interface SourceBounds {
  /** Longest time without a byte. */
  idleMs: number;
  /** Bytes a second that must come on average once `idleMs` was spent waiting for them. */
  leastBytesPerSecond: number;
  /** Requests at once. */
  lanes: number;
  headers: ((url: string) => Readonly<Record<string, string>>) | undefined;
}

/** An answer whose head has come. */
export interface SourceAnswer {
  /** Which byte of the content it begins with. */
  start: number;
  chunks: AsyncGenerator<Buffer, void, undefined>;
}

const LONGEST_WAIT_MS = 5_000;

/**
 * Asks one source: a folder of static files, or the endpoints below `/content/` of a runner, which look the same. No redirect
 * is followed, and nothing that is compressed on the way is taken.
 */
export class ContentSource implements Disposable {
  readonly url: string;
  readonly #base: URL;
  readonly #bounds: SourceBounds;
  #agent: Agent | undefined;

  /** @param url - where `index.json` lies */
  constructor(url: string, bounds: SourceBounds) {
    this.url = url;
    this.#base = sourceUrl(url);
    this.#bounds = bounds;
  }

  /**
   * Gets a file, from byte `from` on where the source can.
   *
   * @param path - below the source's address
   * @param most - bytes of the whole file, at most; the whole length where `isExact`
   * @throws SourceFault; RunnerError `aborted`
   */
  async get(
    path: string,
    {
      from = 0,
      most,
      isExact = false,
      signal,
    }: OperationOptions & { from?: number; most: number; isExact?: boolean },
  ): Promise<SourceAnswer> {
    throwIfAborted(signal, 'fetch');
    const response = await this.#ask(new URL(path, this.#base), from, signal);
    try {
      const { start, length } = readHead(response, from);
      if (length !== undefined && (isExact ? start + length !== most : start + length > most)) {
        throw new SourceFault('wrong', `says that ${path} has ${start + length} bytes, not ${most}`);
      }
      return { start, chunks: this.#chunks(response, most - start, signal) };
    } catch (error) {
      response.destroy();
      throw error;
    }
  }

  /** Gets a small file whole. */
  async getWhole(path: string, o: OperationOptions & { most: number }): Promise<Buffer> {
    const { chunks } = await this.get(path, o);
    const parts: Buffer[] = [];
    for await (const chunk of chunks) parts.push(chunk);
    return Buffer.concat(parts);
  }

  [Symbol.dispose](): void {
    this.#agent?.destroy();
  }

  async #ask(url: URL, from: number, signal: AbortSignal | undefined): Promise<IncomingMessage> {
    const { request, Agent: AgentClass } =
      url.protocol === 'https:' ? await import('node:https') : await import('node:http');
    const agent = (this.#agent ??= new AgentClass({ keepAlive: true, maxSockets: this.#bounds.lanes }));
    const options: RequestOptions = {
      agent,
      headers: {
        ...this.#bounds.headers?.(this.url),
        'accept-encoding': 'identity',
        ...(from > 0 && { range: `bytes=${from}-` }),
      },
    };
    return await new Promise((resolve, reject) => {
      const asked = request(url, options);
      const { idleMs } = this.#bounds;
      const timer = setTimeout(() => {
        asked.destroy(new SourceFault('away', `did not answer for ${idleMs} ms`));
      }, idleMs);
      const onAbort = () => {
        if (signal) asked.destroy(abortError(signal, 'fetch'));
      };
      if (signal) listenForAbort(signal, onAbort);
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      asked.once('response', (response) => {
        end();
        resolve(response);
      });
      // Stays: an error after the head has its place at the response.
      asked.on('error', (error) => {
        end();
        reject(
          isOurs(error)
            ? error
            : new SourceFault('away', `cannot be reached: ${wordsOf(error)}`, { cause: error }),
        );
      });
      asked.end();
    });
  }

  /** At most `most` bytes; the time that the reader takes does not count. */
  async *#chunks(
    response: IncomingMessage,
    most: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Buffer, void, undefined> {
    const pace = new Pace(this.#bounds);
    const onAbort = () => {
      if (signal) response.destroy(abortError(signal, 'fetch'));
    };
    if (signal) listenForAbort(signal, onAbort);
    const iterator = response[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>;
    let bytes = 0;
    try {
      throwIfAborted(signal, 'fetch');
      for (;;) {
        const chunk = await pace.wait(iterator, response);
        if (chunk === undefined) return;
        bytes += chunk.length;
        if (bytes > most) throw new SourceFault('wrong', `sends more than the ${most} bytes there can be`);
        yield chunk;
      }
    } catch (error) {
      if (RunnerError.is(error)) throw error;
      if (error instanceof SourceFault)
        throw new SourceFault(error.kind, error.message, { cause: error, bytes });
      throw new SourceFault('away', `broke off after ${bytes} bytes: ${wordsOf(error)}`, {
        cause: error,
        bytes,
      });
    } finally {
      signal?.removeEventListener('abort', onAbort);
      response.destroy();
    }
  }
}

/** Ends an answer that comes too slowly. */
class Pace {
  readonly #bounds: SourceBounds;
  #waitedMs = 0;
  #bytes = 0;

  constructor(bounds: SourceBounds) {
    this.#bounds = bounds;
  }

  async wait(
    iterator: AsyncIterator<Buffer, undefined>,
    response: IncomingMessage,
  ): Promise<Buffer | undefined> {
    const { idleMs, leastBytesPerSecond } = this.#bounds;
    const since = performance.now();
    const timer = setTimeout(() => {
      response.destroy(new SourceFault('away', `sent nothing for ${idleMs} ms`));
    }, idleMs);
    let step: IteratorResult<Buffer, undefined>;
    try {
      step = await iterator.next();
    } finally {
      clearTimeout(timer);
    }
    if (step.done === true) return undefined;
    this.#waitedMs += performance.now() - since;
    this.#bytes += step.value.length;
    if (this.#waitedMs < idleMs) return step.value;
    if (this.#bytes < (leastBytesPerSecond * this.#waitedMs) / 1_000) {
      throw new SourceFault(
        'away',
        `sent ${this.#bytes} bytes in ${Math.round(this.#waitedMs)} ms, which is too slow`,
      );
    }
    this.#waitedMs = 0;
    this.#bytes = 0;
    return step.value;
  }
}

/** @throws SourceFault for an answer that is none of the file */
function readHead(response: IncomingMessage, from: number): { start: number; length: number | undefined } {
  const { statusCode = 0, headers } = response;
  if (statusCode >= 300 && statusCode < 400) {
    throw new SourceFault('wrong', `leads elsewhere (${statusCode}), which is not followed`);
  }
  if (statusCode === 404 || statusCode === 410) throw new SourceFault('missing', 'does not have it');
  if (statusCode === 401 || statusCode === 403)
    throw new SourceFault('refused', `does not let this station in (${statusCode})`);
  if (statusCode === 416) throw new SourceFault('wrong', `has fewer than ${from} bytes of it`);
  if (statusCode !== 200 && statusCode !== 206) {
    throw new SourceFault('away', `answers ${statusCode}`, { waitMs: retryAfterMs(headers['retry-after']) });
  }
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') throw new SourceFault('wrong', `sends it compressed (${encoding})`);
  const said = headers['content-length'];
  const length = said === undefined ? undefined : Number(said);
  if (statusCode === 200) return { start: 0, length }; // it takes no ranges: all of it comes
  const [, first = ''] =
    /^bytes (\d{1,16})-\d{1,16}\/(?:\d{1,16}|\*)$/.exec(headers['content-range'] ?? '') ?? [];
  if (first === '' || Number(first) !== from)
    throw new SourceFault('wrong', 'sends another part than was asked for');
  return { start: from, length };
}

function retryAfterMs(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,5}$/.test(value)
    ? Math.min(LONGEST_WAIT_MS, Number(value) * 1_000)
    : undefined;
}

function isOurs(error: unknown): boolean {
  return error instanceof SourceFault || RunnerError.is(error);
}

/** Node gives an error for each address in turn, and none a text of its own. */
function wordsOf(error: unknown): string {
  if (error instanceof AggregateError) return wordsOf(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}

/** @throws RunnerError `invalid_params` for an address that is none */
export function sourceUrl(given: string): URL {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    throw new RunnerError(
      'invalid_params',
      `${JSON.stringify(given)} is no address of a source: give the http or https address of the folder with its index.json`,
      { details: { path: 'sources' } },
    );
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

/** Waits, but not longer than until the signal fires. @throws RunnerError `aborted` */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
  throwIfAborted(signal, 'fetch');
}
