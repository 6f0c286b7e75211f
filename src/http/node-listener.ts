import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** How long the rest of a body is read and thrown away after it was answered. */
const LINGER_MS = 10_000;

/** A body on its way in. */
interface IncomingBody {
  stream: ReadableStream<Uint8Array>;
  /** From now on whatever comes is thrown away. */
  discard: () => void;
}

/**
 * Mounts a web-standard handler on `node:http` or `node:https`: `createServer(toNodeListener(handler))`. Bodies are
 * streamed both ways at the pace of the slower side, and the request's `signal` fires when the client goes away.
 *
 * A request that is answered before its body has come (too large, not allowed) gets its answer: the rest is read and
 * thrown away for ten seconds. Set the server's `requestTimeout` to what your largest upload takes: Node's five minutes
 * are short for gigabytes.
 */
export function toNodeListener(
  handler: (request: Request) => Promise<Response>,
): (incoming: IncomingMessage, outgoing: ServerResponse) => void {
  return (incoming, outgoing) => {
    answer(incoming, outgoing, handler).catch(() => {
      // The client is gone, or the handler failed: without an answer the connection has no more use.
      if (outgoing.headersSent || outgoing.destroyed) outgoing.destroy();
      else outgoing.writeHead(500).end();
    });
  };
}

async function answer(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  handler: (request: Request) => Promise<Response>,
): Promise<void> {
  const gone = new AbortController();
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) gone.abort();
  });
  const body = bodyOf(incoming);
  const request = toRequest(incoming, body?.stream, gone.signal);
  if (!request) {
    outgoing.writeHead(400).end();
    return;
  }
  const response = await handler(request);
  outgoing.writeHead(response.status, response.statusText || undefined, headersOf(response));
  if (response.body && incoming.method !== 'HEAD') {
    outgoing.flushHeaders();
    await pipeline(Readable.fromWeb(response.body), outgoing);
  } else {
    outgoing.end();
  }
  if (!incoming.complete) lingerOn(incoming, body);
}

/** Undefined when Node let something through that the web's `Request` cannot be. */
function toRequest(
  incoming: IncomingMessage,
  body: ReadableStream<Uint8Array> | undefined,
  signal: AbortSignal,
): Request | undefined {
  const { url = '/', method, rawHeaders, socket } = incoming;
  try {
    const headers = new Headers();
    for (let at = 0; at < rawHeaders.length; at += 2) {
      headers.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '');
    }
    const scheme = 'encrypted' in socket ? 'https' : 'http';
    const target = url.startsWith('/') ? `${scheme}://${headers.get('host') ?? 'localhost'}${url}` : url;
    return new Request(target, { method, headers, signal, body: body ?? null, duplex: 'half' });
  } catch {
    return undefined;
  }
}

function headersOf(response: Response): Record<string, string | string[]> {
  const cookies = response.headers.getSetCookie();
  return { ...Object.fromEntries(response.headers), ...(cookies.length > 0 && { 'set-cookie': cookies }) };
}

/**
 * The body as a web stream that takes a chunk when one is wanted. Not `Readable.toWeb`: cancelling that destroys the
 * socket, and with it the answer that says why.
 */
function bodyOf(incoming: IncomingMessage): IncomingBody | undefined {
  const { method, headers } = incoming;
  const isEmpty = headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0;
  if (isEmpty || method === 'GET' || method === 'HEAD') return undefined;
  let isOpen = true;
  const discard = () => {
    isOpen = false;
    incoming.resume();
  };
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
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
        incoming.pause();
      });
      incoming.pause();
      incoming.once('end', () => {
        settle(() => {
          controller.close();
        });
      });
      incoming.once('error', fail);
      incoming.once('close', () => {
        fail(new Error('the connection was closed'));
      });
    },
    pull() {
      incoming.resume();
    },
    cancel: discard,
  });
  return { stream, discard };
}

/** Lets the client finish sending, so that it comes to read the answer; the connection of one that goes on is cut. */
function lingerOn(incoming: IncomingMessage, body: IncomingBody | undefined): void {
  if (body) body.discard();
  else incoming.resume();
  const cut = setTimeout(() => incoming.destroy(), LINGER_MS);
  cut.unref();
  incoming.once('close', () => {
    clearTimeout(cut);
  });
}
