import type { MeterProvider, TracerProvider } from '@opentelemetry/api';
import type { Deployer } from '../deploy/deployer.js';
import type { FramePool } from '../frames/frame-pool.js';
import { Door, instance, lazily, must, whole } from '../options.js';
import type { Registry } from '../registry/registry.js';
import type { AlgorithmSupervisor } from '../supervisor/algorithm-supervisor.js';
import type { TelemetryOptions, TelemetryParts } from './types.js';

/** What {@link instrument} takes. */
export const doors = /* @__PURE__ */ lazily(() => ({
  instrument: new Door<TelemetryOptions>('instrument(runner, options)', {
    tracerProvider: instance<TracerProvider>('a TracerProvider', 'getTracer'),
    meterProvider: instance<MeterProvider>('a MeterProvider', 'getMeter'),
    maxSeries: whole(1),
  }),
  parts: new Door<TelemetryParts>('instrument({ registry, deployer, supervisor, frames })', {
    registry: must(instance<Registry>('a Registry (await Registry.open(root))', 'resolve', 'active')),
    deployer: instance<Deployer>('a Deployer', 'on', 'off'),
    supervisor: instance<AlgorithmSupervisor>('an AlgorithmSupervisor', 'observe', 'status'),
    frames: instance<FramePool>('a FramePool', 'usage'),
  }),
}));
