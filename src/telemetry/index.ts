/**
 * What a runner does, for those who watch it: spans and metrics by `@opentelemetry/api`, an optional peer, and metrics as text of
 * OpenMetrics 1.0.
 *
 * @packageDocumentation
 */
export { instrument } from './instrument.js';
export type { Telemetry, TelemetryOptions, TelemetryParts } from './types.js';
export type { MeasuredDelivery, MeasuredRecords } from './outbox-metrics.js';
export type { MetricFamily, MetricLabels, MetricReading } from './exposition.js';
export { OPENMETRICS_TYPE, RunnerMetrics, type MetricsOptions, type MetricsParts } from './runner-metrics.js';
