/** One server-sent event: a name and data that is written as JSON. */
export type SendEvent = (event: string, data: unknown) => void;

/** Proxies cut a stream that says nothing; a stage of an install may take minutes. */
const KEEP_ALIVE_MS = 15_000;

/**
 * A response that streams server-sent events while `work` runs (WHATWG HTML, 9.2), and ends with it. The signal that
 * `work` is given fires when the client goes away.
 */
export function eventStream(
  requestSignal: AbortSignal,
  work: (send: SendEvent, signal: AbortSignal) => Promise<void>,
): Response {
  const encoder = new TextEncoder();
  const cancelled = new AbortController();
  const signal = AbortSignal.any([cancelled.signal, requestSignal]);
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      const write = (text: string) => {
        if (!cancelled.signal.aborted) controller.enqueue(encoder.encode(text));
      };
      const keepAlive = setInterval(write, KEEP_ALIVE_MS, ': still here\n\n');
      keepAlive.unref();
      const send: SendEvent = (event, data) => {
        write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
      };
      void work(send, signal).finally(() => {
        clearInterval(keepAlive);
        if (!cancelled.signal.aborted) controller.close();
      });
    },
    cancel() {
      cancelled.abort();
    },
  });
  return new Response(stream, {
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
  });
}
