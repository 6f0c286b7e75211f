import type { MeterProvider, TracerProvider } from '@opentelemetry/api';
import type { Deployer } from '../deploy/deployer.js';
import type { FramePool } from '../frames/frame-pool.js';
import type { Registry } from '../registry/registry.js';
import type { AlgorithmSupervisor } from '../supervisor/algorithm-supervisor.js';

/** What is watched; a `Runner` has all of it. */
export interface TelemetryParts {
  /** Its store's disk. */
  registry: Registry;
  /** Its operations, as spans. @defaultValue not watched */
  deployer?: Deployer | undefined;
  /** Its calls and workers. @defaultValue not watched */
  supervisor?: AlgorithmSupervisor | undefined;
  /** How full it is. @defaultValue not measured */
  frames?: FramePool | undefined;
}

/** Options of {@link instrument}. */
export interface TelemetryOptions {
  /** Where spans go. @defaultValue the provider that is registered with `@opentelemetry/api` */
  tracerProvider?: TracerProvider;
  /** Where metrics go. @defaultValue the provider that is registered with `@opentelemetry/api` */
  meterProvider?: MeterProvider;
  /** Label sets of one metric; what comes later is counted under `other`. @defaultValue 500 */
  maxSeries?: number;
}

/** Spans and metrics that are being made. */
export interface Telemetry extends AsyncDisposable {
  /**
   * Wraps the handler of `procvision-runner/http`: each request is a span, child of the span that its `traceparent` names,
   * and what the request does is within it.
   */
  traced(handler: (request: Request) => Promise<Response>): (request: Request) => Promise<Response>;
  /** Ends the spans that are open, and counts no more. Idempotent. */
  close(): Promise<void>;
}
