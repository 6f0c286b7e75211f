/** One server-sent event: a name and data that is written as JSON. */
export type SendEvent = (event: string, data: unknown) => void;

/**
 * A response that streams server-sent events while `work` runs (WHATWG HTML, 9.2). The stream ends with the work;
 * `onCancel` is called when the client goes away first.
 */
export function eventStream(work: (send: SendEvent) => Promise<void>, onCancel: () => void): Response {
  const encoder = new TextEncoder();
  let isOpen = true;
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      const send: SendEvent = (event, data) => {
        if (isOpen) controller.enqueue(encoder.encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`));
      };
      void work(send).finally(() => {
        if (isOpen) controller.close();
        isOpen = false;
      });
    },
    cancel() {
      isOpen = false;
      onCancel();
    },
  });
  return new Response(stream, {
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
  });
}
