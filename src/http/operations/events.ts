import { RequestFault } from '../problem.js';
import { QUERIES, readQuery } from '../query.js';
import type { Call } from '../types.js';
import { EVENT_NAMES, type FedEvent } from './event-feed.js';

/** Proxies cut a stream that says nothing. */
const KEEP_ALIVE_MS = 15_000;
/** A browser comes back after this time. */
const RETRY_MS = 2_000;
/** Events that may wait for a slow client, and their characters; it is cut off, and comes back for what it missed. */
const MOST_WAITING = 2_000;

/**
 * GET /events: server-sent events (WHATWG HTML, 9.2) of registry, deployer, validator and supervisor. With `Last-Event-ID` those
 * come first that were missed; where they are not kept any more, an event `missed` says so. With `kept` those come first that are kept.
 */
export function events({ request, url, options: { feed } }: Call): Response {
  const { names, kept = false } = readQuery(url, QUERIES.events);
  const wanted = names?.split(',');
  const unknown = wanted?.find((name) => !EVENT_NAMES.includes(name));
  if (unknown !== undefined) {
    throw new RequestFault(
      'bad_request',
      `names: ${unknown} is no event. Known are ${EVENT_NAMES.join(', ')}`,
    );
  }
  const lastId = request.headers.get('last-event-id');
  const encoder = new TextEncoder();
  let end: () => void = () => undefined;
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      const write = (text: string) => {
        controller.enqueue(encoder.encode(text));
      };
      const send = ({ id, name, data }: FedEvent) => {
        if (wanted && !wanted.includes(name)) return;
        if ((controller.desiredSize ?? 0) < -MOST_WAITING) {
          end();
          controller.error(new Error('the client reads too slowly'));
          return;
        }
        write(`id: ${id}\nevent: ${name}\ndata: ${data}\n\n`);
      };
      write(`retry: ${RETRY_MS}\n\n`);
      const leave = feed.subscribe(send);
      const keepAlive = setInterval(write, KEEP_ALIVE_MS, ': still here\n\n');
      keepAlive.unref();
      const onAbort = () => {
        end();
        controller.error(request.signal.reason);
      };
      end = () => {
        leave();
        clearInterval(keepAlive);
        request.signal.removeEventListener('abort', onAbort);
      };
      request.signal.addEventListener('abort', onAbort, { once: true });
      if (lastId === null && !kept) return;
      const missed = lastId === null ? feed.kept : feed.after(lastId);
      if (missed) for (const event of missed) send(event);
      else write(`event: missed\ndata: ${JSON.stringify({ after: lastId })}\n\n`);
    },
    cancel() {
      end();
    },
  });
  return new Response(stream, {
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
  });
}
