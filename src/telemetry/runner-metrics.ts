import { statfs } from 'node:fs/promises';
import type { FramePool } from '../frames/frame-pool.js';
import type { Registry } from '../registry/registry.js';
import type { AlgorithmSupervisor } from '../supervisor/algorithm-supervisor.js';
import type {
  CallFailedEvent,
  FellBackEvent,
  ResultEvent,
  WorkerRestartEvent,
} from '../supervisor/events.js';
import { outboxMetrics, type MeasuredDelivery } from './outbox-metrics.js';
import { Counter, exposition, Gauge, Histogram, Summary, type MetricFamily } from './exposition.js';

/** What is measured. */
export interface MetricsParts {
  /** Its store's disk. */
  registry: Registry;
  /** Its calls and workers. */
  supervisor?: AlgorithmSupervisor | undefined;
  /** How full it is. @defaultValue not measured */
  frames?: FramePool | undefined;
  /** How its outbox and it stand: what `deliver()` of `procvision-runner/outbox` gives. @defaultValue not measured */
  delivery?: MeasuredDelivery | undefined;
}

/** Options of {@link RunnerMetrics}. */
export interface MetricsOptions {
  /** Label sets of one metric; what comes later is counted under `other`. @defaultValue 500 */
  maxSeries?: number;
}

/** Media type of the text. */
export const OPENMETRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** Verdicts that the share of NG is taken over. */
const WINDOW = 100;
/** Times of a result that have a histogram: its name and what it measures. */
export const TIMES = {
  queueMs: ['procvision_queue_seconds', 'Time that calls waited for a worker'],
  frameMs: ['procvision_frame_seconds', 'Time in which pictures were copied'],
  callMs: ['procvision_call_seconds', 'Time of the last attempt at the worker'],
  totalMs: ['procvision_inspection_seconds', 'Time from the request to the result'],
} as const;
type TimeField = keyof typeof TIMES;
export const TIME_FIELDS = Object.keys(TIMES) as TimeField[];
/** Numbers of `data.debug` of one answer. */
const MOST_NUMBERS = 32;
/** Bounds of the buckets of the histograms. */
export const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Counts what a supervisor does, and gives it as text of OpenMetrics 1.0. MetricLabels are package, version, product id, step, phase,
 * outcome, code and key; each metric has at most `maxSeries` sets of them, whatever names come in.
 */
export class RunnerMetrics implements Disposable {
  readonly #parts: MetricsParts;
  readonly #most: number;
  readonly #calls: Counter;
  readonly #errors: Counter;
  readonly #restarts: Counter;
  readonly #fellBack: Counter;
  readonly #times: Record<TimeField, Histogram>;
  readonly #share: Gauge;
  readonly #sums: Summary;
  readonly #last: Gauge;
  /** The last verdicts by series: whether each was NG. */
  readonly #verdicts = new Map<string, boolean[]>();
  readonly #onResult = (event: ResultEvent) => {
    this.#result(event);
  };
  readonly #onFailed = (event: CallFailedEvent) => {
    this.#failed(event);
  };
  readonly #onFellBack = ({ name, version, productId, error }: FellBackEvent) => {
    this.#fellBack.add({ package: name, version, product_id: productId, code: error.code });
  };
  readonly #onRestart = ({ name, version }: WorkerRestartEvent) => {
    this.#restarts.add({ package: name, version });
  };

  constructor(parts: MetricsParts, { maxSeries: most = 500 }: MetricsOptions = {}) {
    this.#parts = parts;
    this.#most = most;
    this.#calls = new Counter(
      'procvision_calls',
      'Calls that ended, by outcome: OK, NG, ERROR or failed',
      most,
    );
    this.#errors = new Counter(
      'procvision_errors',
      'Calls that failed or were answered with ERROR, by code',
      most,
    );
    this.#restarts = new Counter('procvision_worker_restarts', 'Starts of workers after the first', most);
    this.#fellBack = new Counter(
      'procvision_fell_back',
      'Calls that a canary failed and the mapped version was asked, by code',
      most,
    );
    this.#times = Object.fromEntries(
      TIME_FIELDS.map((field) => {
        const [name, help] = TIMES[field];
        return [field, new Histogram(name, help, most, SECONDS)];
      }),
    ) as Record<TimeField, Histogram>;
    this.#share = new Gauge(
      'procvision_ng_ratio',
      `Share of NG among the last ${WINDOW} verdicts`,
      most,
      'ratio',
    );
    this.#sums = new Summary('procvision_debug', 'Numbers of data.debug of the answers', most);
    this.#last = new Gauge('procvision_debug_last', 'Number of data.debug in the last answer', most);
    parts.supervisor?.on('result', this.#onResult);
    parts.supervisor?.on('callFailed', this.#onFailed);
    parts.supervisor?.on('fellBack', this.#onFellBack);
    parts.supervisor?.on('restart', this.#onRestart);
  }

  /** The metrics now, as text of OpenMetrics 1.0. Never rejects: what cannot be measured is left out. */
  async text(): Promise<string> {
    return exposition(await this.families());
  }

  /** Every metric with its values now, for another format than text. Never rejects. */
  async families(): Promise<MetricFamily[]> {
    const counted: MetricFamily[] = [
      ...[this.#calls, this.#errors, this.#restarts, this.#fellBack],
      ...Object.values(this.#times),
      ...[this.#share, this.#sums, this.#last],
    ];
    return [
      ...counted,
      ...this.#state(),
      ...(await this.#room()),
      ...(await outboxMetrics(this.#parts.delivery)),
    ];
  }

  /** Counts no more. */
  [Symbol.dispose](): void {
    const { supervisor } = this.#parts;
    supervisor?.off('result', this.#onResult);
    supervisor?.off('callFailed', this.#onFailed);
    supervisor?.off('fellBack', this.#onFellBack);
    supervisor?.off('restart', this.#onRestart);
  }

  #result({ name, version, productId = '', stepIndex, phase, result }: ResultEvent): void {
    const about = { package: name, version };
    const verdict = result.status === 'ERROR' ? 'ERROR' : (result.data.result_status ?? 'OK');
    const place = { ...about, product_id: productId, step: String(stepIndex ?? '') };
    this.#calls.add({ ...place, phase, outcome: verdict });
    if (result.status === 'ERROR')
      this.#errors.add({ ...about, product_id: productId, code: result.errorCode ?? 'unknown' });
    for (const field of TIME_FIELDS) {
      this.#times[field].observe({ ...about, phase }, result.timing[field] / 1_000);
    }
    if (phase !== 'execute' || result.status === 'ERROR') return;
    this.#verdict(place, verdict === 'NG');
    const numbers = Object.entries(result.data.debug ?? {}).filter(([, value]) => typeof value === 'number');
    for (const [key, value] of numbers.slice(0, MOST_NUMBERS)) {
      if (!Number.isFinite(value)) continue;
      this.#sums.observe({ ...place, key }, value as number);
      this.#last.set({ ...place, key }, value as number);
    }
  }

  #failed({ name = '', version = '', productId = '', phase, error }: CallFailedEvent): void {
    const about = { package: name, version, product_id: productId };
    this.#calls.add({ ...about, step: '', phase, outcome: 'failed' });
    this.#errors.add({ ...about, code: error.code });
  }

  #verdict(place: Record<string, string>, isNg: boolean): void {
    const key = Object.values(place).join('\0');
    const known = this.#verdicts.get(key);
    if (!known && this.#verdicts.size >= this.#most) return; // bounded, as the labels are
    const window = known ?? [];
    this.#verdicts.set(key, window);
    window.push(isNg);
    if (window.length > WINDOW) window.shift();
    this.#share.set(place, window.filter(Boolean).length / window.length);
  }

  /** What the supervisor is now. */
  #state(): MetricFamily[] {
    const gauge = (name: string, help: string, unit?: string) =>
      new Gauge(`procvision_${name}`, help, this.#most, unit);
    const gauges = {
      workers: gauge('workers', 'Workers by state'),
      queued: gauge('queued', 'Calls that wait for a worker'),
      inFlight: gauge('in_flight', 'Calls that are with a worker'),
      circuit: gauge('circuit_open', '1 where a version failed too often and is left alone'),
      canary: gauge('canary_ratio', 'Share of the calls that a version has before it is mapped', 'ratio'),
      memory: gauge('worker_memory_bytes', 'Resident memory of the workers', 'bytes'),
      cpu: gauge('worker_cpu_cores', 'Cores that the workers use', 'cores'),
      gpuMemory: gauge('worker_gpu_memory_bytes', 'Memory of GPUs that the workers use', 'bytes'),
    };
    for (const {
      name,
      version,
      workers,
      queued,
      inFlight,
      circuit,
      rssBytes,
      cpu,
      gpuMemoryBytes,
      canary,
    } of this.#parts.supervisor?.status() ?? []) {
      const about = { package: name, version };
      const states = new Map<string, number>();
      for (const { state } of workers) states.set(state, (states.get(state) ?? 0) + 1);
      for (const [state, count] of states) gauges.workers.set({ ...about, state }, count);
      gauges.queued.set(about, queued);
      gauges.inFlight.set(about, inFlight);
      gauges.circuit.set(about, circuit === 'open' ? 1 : 0);
      for (const { productIds, share } of canary) {
        for (const id of productIds) gauges.canary.set({ ...about, product_id: id }, share);
      }
      gauges.memory.set(about, rssBytes);
      gauges.cpu.set(about, cpu);
      gauges.gpuMemory.set(about, gpuMemoryBytes);
    }
    const host = gauge('host_memory_bytes', 'Resident memory of this process', 'bytes');
    host.set({}, process.memoryUsage.rss());
    return [...Object.values(gauges), host];
  }

  /** Memory for frames, and the disk of the store. */
  async #room(): Promise<MetricFamily[]> {
    const { registry, frames } = this.#parts;
    const free = new Gauge('procvision_disk_free_bytes', 'Free bytes of the disk of the store', 1, 'bytes');
    const size = new Gauge('procvision_disk_size_bytes', 'Size of the disk of the store', 1, 'bytes');
    const disk = await statfs(registry.layout.root).catch(() => undefined);
    free.set({}, disk && disk.bavail * disk.bsize);
    size.set({}, disk && disk.blocks * disk.bsize);
    const slots = new Gauge('procvision_frames', 'Slots for pictures, by state', 2);
    const bytes = new Gauge('procvision_frame_memory_bytes', 'Memory of the slots for pictures', 1, 'bytes');
    const usage = await frames?.usage().catch(() => undefined);
    slots.set({ state: 'idle' }, usage?.idle);
    slots.set({ state: 'used' }, usage && usage.slots - usage.idle);
    bytes.set({}, usage?.bytes);
    return [free, size, slots, bytes];
  }
}
