import type { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import type { Writable } from 'node:stream';
import {
  bodyOf,
  finishReading,
  hasBody,
  parsedBody,
  setArrival,
  wholeTarget,
  type IncomingBody,
  type NodeRequest,
} from './incoming-body.js';
import { problemResponse, RequestFault } from './problem.js';
import { readHeaders } from './request-headers.js';
import { addressOf } from './target.js';
import { textOf } from './whole-response.js';

/** An answer of `node:http`, `node:https` or of the compatibility API of `node:http2`. */
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** Methods that no `Request` of the web may have. */
const NEVER_TAKEN = ['CONNECT', 'TRACE', 'TRACK'];

/** An answer that comes before its request is whole, and is not longer than this, is sent with its length. */
const MAX_MEASURED_BYTES = 64 * 1024;

/**
 * Mounts a web-standard handler on `node:http`, `node:https` or `node:http2`: `createServer(toNodeListener(handler))`.
 * Bodies are streamed both ways at the pace of the slower side, and the request's `signal` fires when the client goes
 * away.
 *
 * Under Express it stands where `app.use` mounts it, and behind body parsers it takes what they have kept: `req.rawBody`, the
 * bytes or the text of `req.body`, or JSON of it.
 *
 * A request that two readers could take two ways (a header twice that may be there once, a host that reaches into the
 * path, a path that a URL parser changes, a GET with a body) is answered with 400.
 *
 * A client that asks before it sends its body (`Expect: 100-continue`) is answered by Node itself, before the listener is called. With
 * `server.on('checkContinue', listener)` beside it, the client is let send when the body is asked for, after `authorize`: a request
 * that is refused by its headers then has nothing sent in vain.
 *
 * A request that is answered before its body has come (too large, not allowed) gets its answer: the rest is read and
 * thrown away for 30 seconds, or until nothing came for 5; only then is a connection closed. Set the server's
 * `requestTimeout` to what your largest upload takes: Node's five minutes are short for gigabytes.
 */
export function toNodeListener(
  handler: (request: Request) => Promise<Response>,
): (incoming: NodeRequest, outgoing: NodeResponse) => void {
  return (incoming, outgoing) => {
    answer(incoming, outgoing, handler).catch(() => {
      // The client is gone, or the handler failed: without an answer the connection has no more use.
      if (outgoing.headersSent || outgoing.destroyed) outgoing.destroy();
      else outgoing.writeHead(500).end();
    });
  };
}

async function answer(
  incoming: NodeRequest,
  outgoing: NodeResponse,
  handler: (request: Request) => Promise<Response>,
): Promise<void> {
  const gone = new AbortController();
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) gone.abort();
  });
  let isWaiting = waitsToSend(incoming, outgoing);
  const letSend = () => {
    if (isWaiting && !outgoing.headersSent) outgoing.writeContinue();
    isWaiting = false;
  };
  const body = bodyOf(incoming, letSend);
  let response: Response;
  try {
    response = await handler(toRequest(incoming, body?.stream, gone.signal));
  } catch (error) {
    if (!(error instanceof RequestFault)) throw error;
    response = problemResponse(error);
  }
  if (body && response.status < 400) letSend(); // events of an install are on their way before its package is read
  await send(response, incoming, outgoing, body);
  body?.discard(); // what nobody has read of it stands before the next request of the connection
}

/**
 * Whether the client sends its body when it gets a 100, and Node has not sent that: it does so by itself where nobody listens for
 * `checkContinue`. An answer without a 100 is the last of its connection, since nobody knows whether a body follows: Node closes it.
 */
function waitsToSend({ headers, httpVersion }: NodeRequest, outgoing: NodeResponse): boolean {
  if (!/(?:^|\W)100-continue(?:$|\W)/i.test(headers.expect ?? '')) return false;
  if ('stream' in outgoing) {
    const sent = outgoing.stream.sentInfoHeaders ?? [];
    return !sent.some(({ ':status': status }) => Number(status) === 100);
  }
  return httpVersion === '1.1' && (outgoing as { _sent100?: boolean })._sent100 !== true;
}

/** @throws RequestFault `bad_request`, `method_not_allowed`, `body_consumed` */
function toRequest(
  incoming: NodeRequest,
  body: ReadableStream<Uint8Array> | undefined,
  signal: AbortSignal,
): Request {
  const { method = 'GET', rawHeaders, socket, httpVersionMajor } = incoming;
  const { target, mount } = wholeTarget(incoming);
  const headers = readHeaders(rawHeaders, httpVersionMajor >= 2);
  const hasStrayBody = (method === 'GET' || method === 'HEAD') && hasBody(incoming);
  // The socket of HTTP/2 has the property also where it is false.
  const { encrypted = false } = socket as { encrypted?: boolean };
  const scheme = encrypted ? 'https' : 'http';
  const host = 'authority' in incoming ? incoming.authority : headers.get('host');
  const url = addressOf({ scheme, host: host ?? undefined, target });
  if (!/^[A-Z-]+$/.test(method))
    throw new RequestFault('bad_request', 'A method is written in capital letters');
  if (NEVER_TAKEN.includes(method)) {
    throw new RequestFault('method_not_allowed', `No address of this server takes ${method}`, {
      allow: 'GET, HEAD, POST, PUT, DELETE',
    });
  }
  const given = hasStrayBody ? null : (body ?? parsedBody(incoming) ?? null);
  try {
    const request = new Request(url, {
      method,
      headers,
      signal,
      body: given as ReadableStream | null,
      duplex: 'half',
    });
    setArrival(request, { mount, hasStrayBody });
    return request;
  } catch (cause) {
    throw new RequestFault('bad_request', `The request is not taken: ${(cause as Error).message}`);
  }
}

async function send(
  response: Response,
  incoming: NodeRequest,
  outgoing: NodeResponse,
  body: IncomingBody | undefined,
): Promise<void> {
  const isEarly = !incoming.complete && body !== undefined;
  const text = isEarly || incoming.method === 'HEAD' ? undefined : textOf(response);
  if (text !== undefined) {
    writeHead(response, outgoing, {
      ...headersOf(response),
      'content-length': String(Buffer.byteLength(text)),
    });
    outgoing.end(text);
    return;
  }
  const content = incoming.method === 'HEAD' ? null : (response.body as ReadableStream<Uint8Array> | null);
  const reader = content?.getReader();
  const isStream = (response.headers.get('content-type') ?? '').startsWith('text/event-stream');
  const first = reader && isEarly && !isStream ? await readUpTo(reader, MAX_MEASURED_BYTES) : undefined;
  const headers = headersOf(response);
  if (first?.isWhole) headers['content-length'] = String(first.bytes.length);
  else if (isEarly && !content && response.status !== 204) headers['content-length'] = '0';
  writeHead(response, outgoing, headers);
  if (content && 'flushHeaders' in outgoing) outgoing.flushHeaders();
  if (first) await write(outgoing, first.bytes);
  if (reader && !first?.isWhole) await copy(reader, outgoing);
  // Without keep-alive the connection is closed with the answer, and a client that still sends would not read the answer.
  if (isEarly && incoming.httpVersionMajor < 2) await finishReading(incoming, body);
  outgoing.end();
  if (!incoming.complete) await cutOff(incoming, body);
}

type SentHeaders = Record<string, string | string[]>;

/** HTTP/2 has no text beside the status. */
function writeHead({ status, statusText }: Response, outgoing: NodeResponse, headers: SentHeaders): void {
  if ('stream' in outgoing || statusText === '') outgoing.writeHead(status, headers);
  else outgoing.writeHead(status, statusText, headers);
}

/** A client that goes on sending for too long is left. */
async function cutOff(incoming: NodeRequest, body: IncomingBody | undefined): Promise<void> {
  await finishReading(incoming, body);
  if (!incoming.complete) incoming.destroy();
}

/** The beginning of a body, all of it where it is not longer. */
async function readUpTo(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  most: number,
): Promise<{ bytes: Buffer; isWhole: boolean }> {
  const chunks: Uint8Array[] = [];
  for (let length = 0; length <= most;) {
    const { done, value } = await reader.read();
    if (done) return { bytes: Buffer.concat(chunks), isWhole: true };
    chunks.push(value);
    length += value.byteLength;
  }
  return { bytes: Buffer.concat(chunks), isWhole: false };
}

async function copy(reader: ReadableStreamDefaultReader<Uint8Array>, outgoing: NodeResponse): Promise<void> {
  const onClose = () => {
    reader.cancel(new Error('the client is gone')).catch(() => undefined);
  };
  outgoing.once('close', onClose);
  if (outgoing.destroyed) onClose();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      await write(outgoing, value);
    }
  } finally {
    outgoing.off('close', onClose);
  }
}

/** Writes at the pace of the client. */
function write(outgoing: NodeResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    if (bytes.length === 0 || outgoing.destroyed || (outgoing as Writable).write(bytes)) {
      resolve();
      return;
    }
    const done = () => {
      outgoing.off('drain', done);
      outgoing.off('close', done);
      resolve();
    };
    outgoing.once('drain', done);
    outgoing.once('close', done);
  });
}

function headersOf(response: Response): SentHeaders {
  const cookies = response.headers.getSetCookie();
  return { ...Object.fromEntries(response.headers), ...(cookies.length > 0 && { 'set-cookie': cookies }) };
}
