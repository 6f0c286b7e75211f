import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';

/** A request of `node:http`, `node:https` or of the compatibility API of `node:http2`. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;

/** How long the rest of a body is read and thrown away once it was answered, in all and without a byte. */
const LINGER_MS = 30_000;
const LINGER_IDLE_MS = 5_000;

/** A body on its way in. */
export interface IncomingBody {
  stream: ReadableStream<Uint8Array>;
  /** From now on whatever comes is thrown away. */
  discard: () => void;
}

/** Whether the request says that it has a body. */
export function hasBody(incoming: NodeRequest): boolean {
  if ('stream' in incoming) return !incoming.stream.endAfterHeaders;
  const { headers } = incoming;
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/**
 * The body as a web stream that takes a chunk when one is wanted. Not `Readable.toWeb`: cancelling that destroys the
 * socket, and with it the answer that says why.
 */
export function bodyOf(incoming: NodeRequest): IncomingBody | undefined {
  if (!hasBody(incoming)) return undefined;
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
      for (const event of ['close', 'aborted']) {
        incoming.once(event, () => {
          fail(new Error('the connection was closed'));
        });
      }
    },
    pull() {
      incoming.resume();
    },
    cancel: discard,
  });
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
