import type * as Api from '@opentelemetry/api';
import type { Context, Span, TracerProvider } from '@opentelemetry/api';
import { loadPeer } from '../assets.js';
import { RunnerError } from '../errors.js';
import { isTraceparent } from '../supervisor/calls/traceparent.js';

/** Name of the instrumentation scope of our spans and metrics. */
export const SCOPE = 'procvision-runner';

/** @throws RunnerError `invalid_params` where the optional peer is not installed */
export async function loadApi(
  load: () => unknown = () => loadPeer('@opentelemetry/api'),
): Promise<typeof Api> {
  try {
    return (await load()) as typeof Api;
  } catch (cause) {
    throw new RunnerError(
      'invalid_params',
      'instrument() needs the package @opentelemetry/api, which is not installed: npm install @opentelemetry/api. RunnerMetrics works without',
      { cause, details: { path: '@opentelemetry/api' } },
    );
  }
}

/** The spans of one instrumentation: all that are open are known. */
export class Spans {
  readonly api: typeof Api;
  readonly #provider: TracerProvider;
  readonly #open = new Set<Span>();

  constructor(api: typeof Api, provider: TracerProvider) {
    this.api = api;
    this.#provider = provider;
  }

  /** Begins a span. */
  start(name: string, options: Api.SpanOptions, parent: Context): Span {
    // Asked for each time: a provider that is registered later is used from then on.
    const span = this.#provider.getTracer(SCOPE).startSpan(name, options, parent);
    this.#open.add(span);
    return span;
  }

  /** Ends it, once. With an error, its status is ERROR. */
  end(span: Span, error?: unknown): void {
    if (!this.#open.delete(span)) return;
    if (error !== undefined) this.#fail(span, error);
    span.end();
  }

  /** Ends all that are open. */
  endAll(): void {
    for (const span of this.#open) span.end();
    this.#open.clear();
  }

  /** The active context; where there is no span in it, the context that a `traceparent` names. */
  contextOf(traceparent: unknown): Context {
    const { context, trace } = this.api;
    const active = context.active();
    if (trace.getSpanContext(active) !== undefined || !isTraceparent(traceparent)) return active;
    const [, traceId = '', spanId = '', flags = ''] = traceparent.split('-');
    const remote = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
    return this.api.isSpanContextValid(remote) ? trace.setSpanContext(active, remote) : active;
  }

  /** A span as the header names it; undefined where no SDK is registered. */
  traceparentOf(span: Span): string | undefined {
    const about = span.spanContext();
    if (!this.api.isSpanContextValid(about)) return undefined;
    return `00-${about.traceId}-${about.spanId}-${about.traceFlags.toString(16).padStart(2, '0')}`;
  }

  #fail(span: Span, error: unknown): void {
    const { code, message } = error as { code?: string; message?: string };
    span.recordException(error instanceof Error ? error : String(error));
    span.setStatus({ code: this.api.SpanStatusCode.ERROR, message: message ?? String(error) });
    span.setAttribute('error.type', code ?? 'internal');
  }
}
