import { isRecord } from '../arguments.js';
import { CallSpans } from './call-spans.js';
import { DeploySpans } from './deploy-spans.js';
import { loadApi, Spans } from './open-telemetry.js';
import { doors } from './options.js';
import { openMetrics } from './otel-metrics.js';
import { tracedHandler } from './traced-handler.js';
import type { Telemetry, TelemetryOptions, TelemetryParts } from './types.js';

/**
 * Makes spans and metrics of what a runner does, by `@opentelemetry/api`: a span for each call and for each operation of the
 * deployer with its stages, and the metrics of `GET /metrics` by the same names. A call belongs to the span that is active, else
 * to its `traceparent`; its worker finds the span of the call in the environment as `PROC_TRACEPARENT`.
 *
 * Works on public hooks alone: `supervisor.observe()` and events. A host that does not call it pays nothing.
 *
 * @throws RunnerError `invalid_params` for options that there are not, and where `@opentelemetry/api` is not installed; `closed`
 */
export async function instrument(parts: TelemetryParts, o: TelemetryOptions = {}): Promise<Telemetry> {
  const given: Partial<TelemetryParts> = isRecord(parts) ? parts : {};
  const { registry, supervisor, deployer, frames } = given;
  // A Runner has more than these.
  doors().parts.check({ registry, supervisor, deployer, frames });
  doors().instrument.check(o);
  const api = await loadApi();
  const spans = new Spans(api, o.tracerProvider ?? api.trace.getTracerProvider());
  const meters = o.meterProvider ?? api.metrics.getMeterProvider();
  const unobserve = await supervisor?.observe(new CallSpans(spans));
  let endMetrics: () => void;
  try {
    endMetrics = await openMetrics({ ...parts, supervisor, frames }, meters, o.maxSeries);
  } catch (error) {
    await unobserve?.();
    throw error;
  }
  const deploys = deployer && new DeploySpans(spans, deployer);
  let closed: Promise<void> | undefined;
  const close = () =>
    (closed ??= (async () => {
      deploys?.close();
      endMetrics();
      await unobserve?.();
      spans.endAll();
    })());
  return {
    traced: (handler) => tracedHandler(spans, handler),
    close,
    [Symbol.asyncDispose]: close,
  };
}
