import type { Meter, MeterProvider, Observable } from '@opentelemetry/api';
import type { ResultEvent } from '../supervisor/events.js';
import type { MetricFamily } from './exposition.js';
import { SCOPE } from './open-telemetry.js';
import { RunnerMetrics, SECONDS, TIME_FIELDS, TIMES, type MetricsParts } from './runner-metrics.js';

/** Units as UCUM writes them, which OpenTelemetry asks for. */
const UNITS: Record<string, string> = { bytes: 'By', cores: '{core}', ratio: '1', seconds: 's' };

/** The metrics of {@link RunnerMetrics}, by the same names, as instruments of OpenTelemetry. Gives what ends them. */
export async function openMetrics(
  parts: MetricsParts,
  provider: MeterProvider,
  maxSeries: number | undefined,
): Promise<() => void> {
  const meter = provider.getMeter(SCOPE);
  const metrics = new RunnerMetrics(parts, maxSeries === undefined ? {} : { maxSeries });
  const instruments = new Map<string, Observable>();
  for (const family of await metrics.families()) {
    for (const name of namesOf(family)) instruments.set(name, observableOf(meter, name, family));
  }
  const observe: Parameters<Meter['addBatchObservableCallback']>[0] = async (result) => {
    for (const family of await metrics.families()) {
      for (const { suffix, labels, value } of family.readings()) {
        const instrument = instruments.get(`${family.name}${suffix}`);
        if (instrument) result.observe(instrument, value, labels);
      }
    }
  };
  const all = [...instruments.values()];
  meter.addBatchObservableCallback(observe, all);
  const endTimes = recordTimes(meter, parts);
  return () => {
    meter.removeBatchObservableCallback(observe, all);
    endTimes();
    metrics[Symbol.dispose]();
  };
}

/** A summary is two numbers; a histogram is recorded as it comes. */
function namesOf({ kind, name }: MetricFamily): string[] {
  if (kind === 'histogram') return [];
  return kind === 'summary' ? [`${name}_count`, `${name}_sum`] : [name];
}

function observableOf(meter: Meter, name: string, { kind, help, unit }: MetricFamily): Observable {
  const options = { description: help, ...(unit !== undefined && { unit: UNITS[unit] ?? unit }) };
  if (kind === 'counter' || name.endsWith('_count')) return meter.createObservableCounter(name, options);
  // The sum of numbers below zero falls.
  if (kind === 'summary') return meter.createObservableUpDownCounter(name, options);
  return meter.createObservableGauge(name, options);
}

function recordTimes(meter: Meter, { supervisor }: MetricsParts): () => void {
  const histograms = TIME_FIELDS.map((field) => {
    const [name, description] = TIMES[field];
    const advice = { explicitBucketBoundaries: SECONDS };
    return { field, histogram: meter.createHistogram(name, { description, unit: 's', advice }) };
  });
  const onResult = ({ name, version, phase, result }: ResultEvent) => {
    for (const { field, histogram } of histograms) {
      histogram.record(result.timing[field] / 1_000, { package: name, version, phase });
    }
  };
  supervisor?.on('result', onResult);
  return () => void supervisor?.off('result', onResult);
}
