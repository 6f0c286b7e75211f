/**
 * Metrics and their text in OpenMetrics 1.0. Own code: `prom-client` keeps its metrics in a registry of the process and has two
 * dependencies, and what is needed here is counters, gauges, histograms and their text.
 */

/** Labels of a sample. */
export type Labels = Readonly<Record<string, string>>;

/** A family of samples with one name. */
export interface Family {
  /** Its lines. */
  lines(): string[];
}

/** Stands for every value of a label past the bound. */
export const OVERFLOW = 'other';

/** Samples by their labels, at most `most` of them: what comes later is counted in one sample whose labels are all `other`. */
class Series<T> {
  readonly #most: number;
  readonly #make: () => T;
  readonly #all = new Map<string, { labels: Labels; value: T }>();

  constructor(most: number, make: () => T) {
    this.#most = most;
    this.#make = make;
  }

  at(labels: Labels): T {
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

  *entries(): Generator<{ labels: Labels; value: T }> {
    yield* this.#all.values();
  }
}

/** A number that only rises. */
export class Counter implements Family {
  readonly #name: string;
  readonly #help: string;
  readonly #series: Series<{ count: number }>;

  constructor(name: string, help: string, mostSeries: number) {
    this.#name = name;
    this.#help = help;
    this.#series = new Series(mostSeries, () => ({ count: 0 }));
  }

  add(labels: Labels, count = 1): void {
    this.#series.at(labels).count += count;
  }

  lines(): string[] {
    const samples = [...this.#series.entries()].map(({ labels, value }) =>
      sample(`${this.#name}_total`, labels, value.count),
    );
    return [...head(this.#name, 'counter', this.#help), ...samples];
  }
}

/** Numbers as they are now. */
export class Gauge implements Family {
  readonly #name: string;
  readonly #help: string;
  readonly #unit: string | undefined;
  readonly #series: Series<{ value: number }>;

  constructor(name: string, help: string, mostSeries: number, unit?: string) {
    this.#name = name;
    this.#help = help;
    this.#unit = unit;
    this.#series = new Series(mostSeries, () => ({ value: 0 }));
  }

  set(labels: Labels, value: number | undefined): void {
    if (value !== undefined && Number.isFinite(value)) this.#series.at(labels).value = value;
  }

  lines(): string[] {
    const samples = [...this.#series.entries()].map(({ labels, value }) =>
      sample(this.#name, labels, value.value),
    );
    return [...head(this.#name, 'gauge', this.#help, this.#unit), ...samples];
  }
}

/** How often a time was at most so long. */
export class Histogram implements Family {
  readonly #name: string;
  readonly #help: string;
  readonly #bounds: readonly number[];
  readonly #series: Series<{ counts: number[]; sum: number; count: number }>;

  constructor(name: string, help: string, mostSeries: number, bounds: readonly number[]) {
    this.#name = name;
    this.#help = help;
    this.#bounds = bounds;
    this.#series = new Series(mostSeries, () => ({ counts: bounds.map(() => 0), sum: 0, count: 0 }));
  }

  observe(labels: Labels, seconds: number): void {
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
        return sample(`${this.#name}_bucket`, { ...labels, le: canonical(bound) }, below);
      });
      return [
        ...buckets,
        sample(`${this.#name}_bucket`, { ...labels, le: '+Inf' }, count),
        sample(`${this.#name}_count`, labels, count),
        sample(`${this.#name}_sum`, labels, sum),
      ];
    });
    return [...head(this.#name, 'histogram', this.#help, 'seconds'), ...samples];
  }
}

/** Numbers that are added up: how many there were, and their sum. */
export class Summary implements Family {
  readonly #name: string;
  readonly #help: string;
  readonly #series: Series<{ sum: number; count: number }>;

  constructor(name: string, help: string, mostSeries: number) {
    this.#name = name;
    this.#help = help;
    this.#series = new Series(mostSeries, () => ({ sum: 0, count: 0 }));
  }

  observe(labels: Labels, value: number): void {
    const series = this.#series.at(labels);
    series.sum += value;
    series.count += 1;
  }

  lines(): string[] {
    const samples = [...this.#series.entries()].flatMap(({ labels, value }) => [
      sample(`${this.#name}_count`, labels, value.count),
      sample(`${this.#name}_sum`, labels, value.sum),
    ]);
    return [...head(this.#name, 'summary', this.#help), ...samples];
  }
}

/** The text of families. */
export function exposition(families: readonly Family[]): string {
  return `${families.flatMap((family) => family.lines()).join('\n')}\n# EOF\n`;
}

function head(name: string, type: string, help: string, unit?: string): string[] {
  const units = unit === undefined ? [] : [`# UNIT ${name} ${unit}`];
  return [`# TYPE ${name} ${type}`, ...units, `# HELP ${name} ${escaped(help)}`];
}

function sample(name: string, labels: Labels, value: number): string {
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
