import { LatencyWindow } from '../../../supervisor/latency.js';
import type { AlgorithmSupervisor } from '../../../supervisor/algorithm-supervisor.js';
import type { CallFailedEvent, ResultEvent } from '../../../supervisor/events.js';
import type { CallFigures } from '../../state.js';

interface Counts extends Omit<CallFigures, 'latency_p50_ms' | 'latency_p99_ms'> {
  latency: LatencyWindow;
}

/** Counts the calls of each product id, from the first of the version that serves it. */
export class CallCounts {
  readonly #supervisor: AlgorithmSupervisor;
  readonly #counts = new Map<string, Counts>();
  readonly #onResult = ({ name, version, productId, phase, result }: ResultEvent): void => {
    if (productId === undefined || phase !== 'execute') return;
    const counts = this.#of(productId, `${name}@${version}`);
    counts.calls += 1;
    if (result.status === 'ERROR') counts.errors += 1;
    else if (result.data.result_status === 'NG') counts.ng += 1;
    else counts.ok += 1;
    counts.latency.add(result.timing.totalMs);
  };
  readonly #onFailed = ({ name, version, productId, phase, error }: CallFailedEvent): void => {
    // A call that its caller ended says nothing of the version.
    if (productId === undefined || phase !== 'execute' || error.code === 'aborted') return;
    if (name === undefined || version === undefined) return;
    const counts = this.#of(productId, `${name}@${version}`);
    counts.calls += 1;
    counts.errors += 1;
  };

  constructor(supervisor: AlgorithmSupervisor) {
    this.#supervisor = supervisor;
    supervisor.on('result', this.#onResult);
    supervisor.on('callFailed', this.#onFailed);
  }

  /** By product id, for those whose version serves still: `serving` has it as `name@version`. */
  figures(serving: Readonly<Record<string, string>>): Record<string, CallFigures> {
    const figures: [string, CallFigures][] = [];
    for (const [product, { latency, ...counts }] of this.#counts) {
      if (!Object.hasOwn(serving, product) || serving[product] !== counts.version) continue;
      const { p50Ms = 0, p99Ms = 0 } = latency.summary();
      figures.push([product, { ...counts, latency_p50_ms: p50Ms, latency_p99_ms: p99Ms }]);
    }
    return Object.fromEntries(figures);
  }

  close(): void {
    this.#supervisor.off('result', this.#onResult);
    this.#supervisor.off('callFailed', this.#onFailed);
  }

  #of(product: string, version: string): Counts {
    const known = this.#counts.get(product);
    if (known?.version === version) return known;
    const counts = { version, calls: 0, ok: 0, ng: 0, errors: 0, latency: new LatencyWindow() };
    this.#counts.set(product, counts);
    return counts;
  }
}
