/**
 * Metrics and their text in OpenMetrics 1.0. Own code: `prom-client` keeps its metrics in a registry of the process and has two
 * dependencies, and what is needed here is counters, gauges, histograms and their text.
 */

/** MetricLabels of a sample. */
export type MetricLabels = Readonly<Record<string, string>>;

/** A value of a family, with its labels. */
export interface MetricReading {
  /** What follows the family's name: `_count` and `_sum` of a summary. */
  suffix: '' | '_count' | '_sum';
  /** Of the value. */
  labels: MetricLabels;
  /** The value. */
  value: number;
}

/** A family of samples with one name. */
export interface MetricFamily {
  /** What its values are. */
  readonly kind: 'counter' | 'gauge' | 'histogram' | 'summary';
  /** Without `_total`. */
  readonly name: string;
  /** For people. */
  readonly help: string;
  /** The unit of its values, where they have one: also the end of its name. */
  readonly unit: string | undefined;
  /** Its lines in OpenMetrics. */
  lines(): string[];
  /** Its values now; none of a histogram. */
  readings(): MetricReading[];
}

/** Stands for every value of a label past the bound. */
export const OVERFLOW = 'other';

/** Samples by their labels, at most `most` of them: what comes later is counted in one sample whose labels are all `other`. */
class Series<T> {
  readonly #most: number;
  readonly #make: () => T;
  readonly #all = new Map<string, { labels: MetricLabels; value: T }>();

  constructor(most: number, make: () => T) {
    this.#most = most;
    this.#make = make;
  }

  at(labels: MetricLabels): T {
    const key = Object.values(labels).join('\0');
    const known = this.#all.get(key);
    if (known) return known.value;
    if (this.#all.size >= this.#most) {
      const overflow = Object.fromEntries(Object.keys(labels).map((name) => [name, OVERFLOW]));
      const overflowKey = Object.values(overflow).join('\0');
      const last = this.#all.get(overflowKey) ?? { labels: overflow, value: this.#make() };
      this.#all.set(overflowKey, last);
      return last.value;
    }
    const value = this.#make();
    this.#all.set(key, { labels, value });
    return value;
  }

  *entries(): Generator<{ labels: MetricLabels; value: T }> {
    yield* this.#all.values();
  }
}

/** A number that only rises. */
export class Counter implements MetricFamily {
  readonly kind = 'counter';
  readonly name: string;
  readonly help: string;
  readonly unit = undefined;
  readonly #series: Series<{ count: number }>;

  constructor(name: string, help: string, mostSeries: number) {
    this.name = name;
    this.help = help;
    this.#series = new Series(mostSeries, () => ({ count: 0 }));
  }

  add(labels: MetricLabels, count = 1): void {
    this.#series.at(labels).count += count;
  }

  lines(): string[] {
    const samples = this.readings().map(({ labels, value }) => sample(`${this.name}_total`, labels, value));
    return [...head(this), ...samples];
  }

  readings(): MetricReading[] {
    return Array.from(this.#series.entries(), ({ labels, value }) => {
      return { suffix: '', labels, value: value.count };
    });
  }
}

/** Numbers as they are now. */
export class Gauge implements MetricFamily {
  readonly kind = 'gauge';
  readonly name: string;
  readonly help: string;
  readonly unit: string | undefined;
  readonly #series: Series<{ value: number }>;

  constructor(name: string, help: string, mostSeries: number, unit?: string) {
    this.name = name;
    this.help = help;
    this.unit = unit;
    this.#series = new Series(mostSeries, () => ({ value: 0 }));
  }

  set(labels: MetricLabels, value: number | undefined): void {
    if (value !== undefined && Number.isFinite(value)) this.#series.at(labels).value = value;
  }

  lines(): string[] {
    const samples = this.readings().map(({ labels, value }) => sample(this.name, labels, value));
    return [...head(this), ...samples];
  }

  readings(): MetricReading[] {
    return Array.from(this.#series.entries(), ({ labels, value: { value } }) => {
      return { suffix: '', labels, value };
    });
  }
}

/** How often a time was at most so long. */
export class Histogram implements MetricFamily {
  readonly kind = 'histogram';
  readonly name: string;
  readonly help: string;
  readonly unit = 'seconds';
  readonly #bounds: readonly number[];
  readonly #series: Series<{ counts: number[]; sum: number; count: number }>;

  constructor(name: string, help: string, mostSeries: number, bounds: readonly number[]) {
    this.name = name;
    this.help = help;
    this.#bounds = bounds;
    this.#series = new Series(mostSeries, () => ({ counts: bounds.map(() => 0), sum: 0, count: 0 }));
  }

  observe(labels: MetricLabels, seconds: number): void {
    const value = this.#series.at(labels);
    const at = this.#bounds.findIndex((bound) => seconds <= bound);
    if (at >= 0) value.counts[at] = (value.counts[at] ?? 0) + 1;
    value.sum += seconds;
    value.count += 1;
  }

  lines(): string[] {
    const samples = [...this.#series.entries()].flatMap(({ labels, value: { counts, sum, count } }) => {
      let below = 0;
      const buckets = this.#bounds.map((bound, index) => {
        below += counts[index] ?? 0;
        return sample(`${this.name}_bucket`, { ...labels, le: canonical(bound) }, below);
      });
      return [
        ...buckets,
        sample(`${this.name}_bucket`, { ...labels, le: '+Inf' }, count),
        sample(`${this.name}_count`, labels, count),
        sample(`${this.name}_sum`, labels, sum),
      ];
    });
    return [...head(this), ...samples];
  }

  readings(): MetricReading[] {
    return [];
  }
}

/** Numbers that are added up: how many there were, and their sum. */
export class Summary implements MetricFamily {
  readonly kind = 'summary';
  readonly name: string;
  readonly help: string;
  readonly unit = undefined;
  readonly #series: Series<{ sum: number; count: number }>;

  constructor(name: string, help: string, mostSeries: number) {
    this.name = name;
    this.help = help;
    this.#series = new Series(mostSeries, () => ({ sum: 0, count: 0 }));
  }

  observe(labels: MetricLabels, value: number): void {
    const series = this.#series.at(labels);
    series.sum += value;
    series.count += 1;
  }

  lines(): string[] {
    const samples = this.readings().map(({ suffix, labels, value }) =>
      sample(`${this.name}${suffix}`, labels, value),
    );
    return [...head(this), ...samples];
  }

  readings(): MetricReading[] {
    return [...this.#series.entries()].flatMap(({ labels, value: { sum, count } }): MetricReading[] => [
      { suffix: '_count', labels, value: count },
      { suffix: '_sum', labels, value: sum },
    ]);
  }
}

/** The text of families. */
export function exposition(families: readonly MetricFamily[]): string {
  return `${families.flatMap((family) => family.lines()).join('\n')}\n# EOF\n`;
}

function head({ name, kind, help, unit }: MetricFamily): string[] {
  const units = unit === undefined ? [] : [`# UNIT ${name} ${unit}`];
  return [`# TYPE ${name} ${kind}`, ...units, `# HELP ${name} ${escaped(help)}`];
}

function sample(name: string, labels: MetricLabels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}

/** A bound of a bucket as the specification writes it: a whole number has `.0`. */
function canonical(bound: number): string {
  return Number.isInteger(bound) ? `${bound}.0` : String(bound);
}
