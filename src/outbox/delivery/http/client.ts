import http, { type Agent, type IncomingHttpHeaders } from 'node:http';
import https from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { abortError } from '../../../abort.js';
import { PIECE_BYTES, piecesOf, type Attempt } from '../targets/port.js';

/** What is kept of an answer: more is cut off. */
const MOST_ANSWER_BYTES = 64 * 1024;

/** Keys and certificates of a client, as PEM. */
export interface ClientTls {
  ca?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
  passphrase?: string | undefined;
}

/** One request. */
export interface HttpRequest {
  method: 'POST' | 'PUT';
  url: URL;
  headers: Readonly<Record<string, string>>;
  /** Its length is said in advance: storages refuse a body in chunks. */
  body: { bytes: number; open: () => AsyncIterable<Uint8Array> };
}

/** What was answered. */
export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  /** The first 64 KiB. */
  body: string;
}

/**
 * HTTP/1.1 for uploads, by Node's own client: `fetch` takes no client certificates, and sends a body that comes in pieces without its
 * length. Redirects are not followed.
 */
export class HttpClient {
  readonly #agents: { http: Agent; https: https.Agent };

  constructor(tls: ClientTls = {}) {
    const kept = { keepAlive: true, maxSockets: 4, keepAliveMsecs: 10_000 };
    this.#agents = {
      http: new http.Agent(kept),
      https: new https.Agent({ ...kept, ...tls, minVersion: 'TLSv1.2' }),
    };
  }

  /** Sends a request and reads its answer. @throws Error of the network; RunnerError `aborted` when the attempt ends */
  async send({ method, url, headers, body }: HttpRequest, attempt: Attempt): Promise<HttpAnswer> {
    const { signal } = attempt;
    const isSecure = url.protocol === 'https:';
    const request = (isSecure ? https : http).request(url, {
      method,
      headers: { ...headers, 'content-length': String(body.bytes) },
      agent: isSecure ? this.#agents.https : this.#agents.http,
      signal,
    });
    const answered = new Promise<HttpAnswer>((resolve, reject) => {
      request.once('error', reject);
      const onClose = () => {
        reject(new Error('The connection ended before the answer'));
      };
      request.once('close', onClose);
      request.once('response', (response) => {
        request.off('close', onClose); // the answer itself says whether it is whole
        readAnswer(response).then(resolve, reject);
      });
    });
    answered.catch(() => undefined); // it is awaited below, after the body
    // An answer may come before the body is through: what is still to be sent is of no interest then.
    const sent = pipeline(Readable.from(paced(body.open(), attempt), { objectMode: false }), request);
    const failed = sent.then(
      () => undefined,
      (error: unknown) => error,
    );
    try {
      return await Promise.race([
        answered,
        failed.then(async (error) => {
          // A server that refuses a body closes the line while it is written: its answer may still be on the way.
          if (error !== undefined && !isOfLine(error)) throw error as Error;
          return answered;
        }),
      ]);
    } catch (error) {
      if (signal.aborted) throw abortError(signal, 'upload');
      throw error;
    } finally {
      request.destroy();
    }
  }

  close(): void {
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }
}

/** A body of bytes that are there. */
export function bodyOf(bytes: Uint8Array): HttpRequest['body'] {
  return { bytes: bytes.length, open: () => Readable.from([bytes]) };
}

async function* paced(source: AsyncIterable<Uint8Array>, attempt: Attempt): AsyncGenerator<Uint8Array> {
  for await (const piece of piecesOf(source, PIECE_BYTES)) {
    await attempt.pace(piece.length);
    yield piece;
  }
}

async function readAnswer(response: http.IncomingMessage): Promise<HttpAnswer> {
  const kept: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    kept.push(chunk);
    size += chunk.length;
    if (size >= MOST_ANSWER_BYTES) break; // leaving the loop ends the connection
  }
  const body = Buffer.concat(kept).subarray(0, MOST_ANSWER_BYTES).toString();
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

function isOfLine(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EPIPE' || code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE';
}
