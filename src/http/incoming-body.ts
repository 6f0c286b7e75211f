import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { RequestFault } from './problem.js';

/** A request of `node:http`, `node:https` or of the compatibility API of `node:http2`. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;

/** What frameworks add to it: the address before it was cut at a mount, and the body that a parser has read. */
interface FrameworkRequest {
  url?: string;
  originalUrl?: unknown;
  baseUrl?: unknown;
  rawBody?: unknown;
  body?: unknown;
}

/** How long the rest of a body is read and thrown away once it was answered, in all and without a byte. */
const LINGER_MS = 30_000;
const LINGER_IDLE_MS = 5_000;

/** What is read ahead of who reads the body: to stop and go on at each chunk takes longer than to copy it. */
const AHEAD_BYTES = 256 * 1024;

/** A body on its way in. */
export interface IncomingBody {
  stream: ReadableStream<Uint8Array>;
  /** From now on whatever comes is thrown away. */
  discard: () => void;
}

/** What a web `Request` has no place for. */
export interface Arrival {
  /** The path that a framework has cut off its address, such as `/api`; empty where it has cut nothing. */
  mount: string;
  /** Whether it is a GET or HEAD that came with a body. */
  hasStrayBody: boolean;
}

const arrivals = new WeakMap<Request, Arrival>();
const PLAIN: Arrival = { mount: '', hasStrayBody: false };

/** How a request has arrived. */
export function arrivalOf(request: Request): Arrival {
  return arrivals.get(request) ?? PLAIN;
}

/** Remembers how a request has arrived. */
export function setArrival(request: Request, arrival: Arrival): void {
  if (arrival.mount !== '' || arrival.hasStrayBody) arrivals.set(request, arrival);
}

/**
 * The target of a request as it was sent, and the mount that it begins with: Express cuts that off `url`, and keeps the whole
 * in `originalUrl`.
 */
export function wholeTarget(incoming: NodeRequest): { target: string; mount: string } {
  const { url = '/', originalUrl, baseUrl } = incoming as FrameworkRequest;
  if (typeof originalUrl !== 'string' || typeof baseUrl !== 'string' || baseUrl === '') {
    return { target: url, mount: '' };
  }
  return originalUrl.startsWith(baseUrl)
    ? { target: originalUrl, mount: baseUrl.replace(/\/+$/, '') }
    : { target: url, mount: '' };
}

/** Whether the request says that it has a body. */
export function hasBody(incoming: NodeRequest): boolean {
  if ('stream' in incoming) return !incoming.stream.endAfterHeaders;
  const { headers } = incoming;
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/**
 * The body that a parser of the framework has read before: its bytes where they were kept (`rawBody`, or `body` of a raw or text
 * parser), else JSON made of what was parsed. Undefined while the body is still to be read.
 *
 * @throws RequestFault `body_consumed` where nothing was kept of it
 */
export function parsedBody(incoming: NodeRequest): Uint8Array | undefined {
  if (!incoming.readableEnded || !hasBody(incoming)) return undefined;
  const { rawBody, body } = incoming as FrameworkRequest;
  for (const given of [rawBody, body]) {
    if (given instanceof Uint8Array) return given;
    if (typeof given === 'string') return Buffer.from(given);
  }
  const type = (incoming.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type === 'application/json' && body !== undefined) return Buffer.from(JSON.stringify(body));
  throw new RequestFault(
    'body_consumed',
    'The body was read before this handler, and nothing was kept of it: mount the handler before the body parsers, or let them leave this path alone',
  );
}

/**
 * The body as a web stream. Nothing is read before somebody asks for it, so that a request which is refused by its headers has
 * none of its body taken. Not `Readable.toWeb`: cancelling that destroys the socket, and with it the answer that says why.
 *
 * @param onRead - called each time before more of it is waited for
 */
export function bodyOf(incoming: NodeRequest, onRead: () => void): IncomingBody | undefined {
  if (!hasBody(incoming) || incoming.readableEnded) return undefined;
  let isOpen = true;
  const discard = () => {
    isOpen = false;
    incoming.resume();
  };
  const source = {
    start(controller: ReadableStreamDefaultController<Uint8Array>) {
      const settle = (end: () => void) => {
        if (isOpen) end();
        isOpen = false;
      };
      const fail = (error: Error) => {
        settle(() => {
          controller.error(error);
        });
      };
      incoming.on('data', (chunk: Buffer) => {
        if (!isOpen) return;
        controller.enqueue(chunk);
        if ((controller.desiredSize ?? 0) <= -AHEAD_BYTES) incoming.pause();
      });
      incoming.pause();
      incoming.once('end', () => {
        settle(() => {
          controller.close();
        });
      });
      incoming.once('error', fail);
      for (const event of ['close', 'aborted']) {
        incoming.once(event, () => {
          fail(new Error('the connection was closed'));
        });
      }
    },
    pull() {
      onRead();
      incoming.resume();
    },
    cancel: discard,
  };
  // With a mark of 0 it is pulled for a reader that waits, and for nothing else.
  const stream = new ReadableStream(source, { highWaterMark: 0, size: ({ byteLength }) => byteLength });
  return { stream, discard };
}

/**
 * Lets the client finish sending, so that it comes to read the answer. Resolves when the whole request was read, and
 * when the client stopped or goes on for too long: then there is no more to wait for.
 */
export function finishReading(incoming: NodeRequest, body: IncomingBody | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (incoming.complete || incoming.destroyed) {
      body?.discard();
      resolve();
      return;
    }
    const idle = setTimeout(end, LINGER_IDLE_MS);
    const limit = setTimeout(end, LINGER_MS);
    const refresh = () => {
      idle.refresh();
    };
    incoming.on('data', refresh);
    const events = ['end', 'close', 'aborted', 'error'] as const;
    for (const event of events) incoming.once(event, end);
    if (body) body.discard();
    else incoming.resume();

    function end(): void {
      clearTimeout(idle);
      clearTimeout(limit);
      incoming.off('data', refresh);
      for (const event of events) incoming.off(event, end);
      resolve();
    }
  });
}
