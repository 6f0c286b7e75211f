import type { Attributes } from '@opentelemetry/api';
import type { CallObserver, StartedCall } from '../supervisor/calls/call-observer.js';
import type { InspectionResult } from '../supervisor/types.js';
import type { Spans } from './open-telemetry.js';

/** A span for each call of a supervisor, from the request to the result; its worker gets the span's `traceparent`. */
export class CallSpans implements CallObserver {
  readonly #spans: Spans;

  constructor(spans: Spans) {
    this.#spans = spans;
  }

  start({ phase, productId, request, requestId, ended }: StartedCall): string | undefined {
    const attributes = textAttributes({
      'procvision.phase': phase,
      'procvision.request_id': requestId,
      'procvision.product_id': productId,
      'procvision.step': request?.stepIndex,
    });
    const kind = this.#spans.api.SpanKind.CLIENT; // the worker is another process, which may go on with the trace
    const parent = this.#spans.contextOf(request?.traceparent);
    const span = this.#spans.start(`procvision ${phase}`, { kind, attributes }, parent);
    void ended.then(({ result, error, name, version }) => {
      span.setAttributes(textAttributes({ 'procvision.package': name, 'procvision.version': version }));
      if (result) span.setAttributes(resultAttributes(result));
      this.#spans.end(span, error ?? failureOf(result));
    });
    return this.#spans.traceparentOf(span);
  }

  offer(): undefined {
    // The frames are of no interest.
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function resultAttributes({ status, data, worker, attempts, timing }: InspectionResult): Attributes {
  return {
    'procvision.verdict': status === 'ERROR' ? 'ERROR' : (data.result_status ?? 'OK'),
    'procvision.worker': worker,
    'procvision.attempts': attempts,
    'procvision.queue_ms': timing.queueMs,
    'procvision.frame_ms': timing.frameMs,
    'procvision.call_ms': timing.callMs,
  };
}

/** An algorithm that answers ERROR has failed; NG is a verdict. */
function failureOf(result: InspectionResult | undefined): { code: string; message: string } | undefined {
  if (result?.status !== 'ERROR') return undefined;
  return { code: result.errorCode ?? 'unknown', message: result.message };
}

/** Those that are texts or numbers: what was asked for may be anything. */
function textAttributes(given: Record<string, unknown>): Attributes {
  const plain = Object.entries(given).filter(([, value]) => ['string', 'number'].includes(typeof value));
  return Object.fromEntries(plain) as Attributes;
}
