import type { MeterProvider, TracerProvider } from '@opentelemetry/api';
import { isRecord } from '../arguments.js';
import { RunnerError } from '../errors.js';
import { Door, instance, lazily, whole } from '../options.js';
import type { TelemetryOptions } from './types.js';

/** What {@link instrument} takes. */
export const doors = /* @__PURE__ */ lazily(() => ({
  instrument: new Door<TelemetryOptions>('instrument(runner, options)', {
    tracerProvider: instance<TracerProvider>('a TracerProvider', 'getTracer'),
    meterProvider: instance<MeterProvider>('a MeterProvider', 'getMeter'),
    maxSeries: whole(1),
  }),
}));

/** @throws RunnerError `invalid_params` */
export function checkParts(parts: unknown): void {
  const { registry } = isRecord(parts) ? parts : {};
  if (isRecord(registry) && typeof registry.resolve === 'function') return;
  throw new RunnerError(
    'invalid_params',
    'instrument({ registry, deployer, supervisor }): registry must be a Registry (await Registry.open(root)); a Runner has all of it',
    { details: { path: 'registry' } },
  );
}
