import type { Spans } from './open-telemetry.js';

type Handler = (request: Request) => Promise<Response>;

const getter = {
  keys: (headers: Headers) => [...headers.keys()],
  get: (headers: Headers, name: string) => headers.get(name) ?? undefined,
};

/**
 * Each request as a span of kind SERVER, in the trace of its headers. Where no propagator is registered, `traceparent` alone is
 * read. Names and attributes are those of OpenTelemetry's semantic conventions for HTTP.
 */
export function tracedHandler(spans: Spans, handler: Handler): Handler {
  const { context, propagation, trace, SpanKind } = spans.api;
  return (request) => {
    const { method, headers, url } = request;
    const given = propagation.extract(context.active(), headers, getter);
    const parent = context.with(given, () => spans.contextOf(headers.get('traceparent')));
    const { pathname, protocol } = new URL(url);
    const attributes = {
      'http.request.method': method,
      'url.path': pathname,
      'url.scheme': protocol.slice(0, -1),
    };
    const span = spans.start(method, { kind: SpanKind.SERVER, attributes }, parent);
    return context.with(trace.setSpan(parent, span), async () => {
      try {
        const response = await handler(request);
        const { status } = response;
        span.setAttribute('http.response.status_code', status);
        spans.end(span, status >= 500 ? { code: String(status), message: `HTTP ${status}` } : undefined);
        return response;
      } catch (error) {
        spans.end(span, error);
        throw error;
      }
    });
  };
}
