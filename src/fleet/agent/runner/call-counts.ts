import { LatencyWindow } from '../../../supervisor/latency.js';
import type { AlgorithmSupervisor } from '../../../supervisor/algorithm-supervisor.js';
import type { CallFailedEvent, ResultEvent } from '../../../supervisor/events.js';
import type { CallFigures } from '../../state.js';

interface Counts extends Omit<CallFigures, 'latency_p50_ms' | 'latency_p99_ms'> {
  latency: LatencyWindow;
}

/**
 * Counts the calls of each product id, from the first of the version that serves it. The last calls of the version before end after the
 * first ones of the next: each version has counts of its own.
 */
export class CallCounts {
  readonly #supervisor: AlgorithmSupervisor;
  /** By product id, then by `name@version`. */
  readonly #counts = new Map<string, Map<string, Counts>>();
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

  /** By product id, for those whose version serves still: `serving` has it as `name@version`. What is counted of others is forgotten. */
  figures(serving: Readonly<Record<string, string>>): Record<string, CallFigures> {
    const figures: [string, CallFigures][] = [];
    for (const [product, versions] of this.#counts) {
      const served = Object.hasOwn(serving, product) ? serving[product] : undefined;
      for (const version of versions.keys()) if (version !== served) versions.delete(version);
      const [known] = versions.values();
      if (!known) continue;
      const { latency, ...counts } = known;
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
    const versions = this.#counts.get(product) ?? new Map<string, Counts>();
    this.#counts.set(product, versions);
    let counts = versions.get(version);
    if (!counts) {
      counts = { version, calls: 0, ok: 0, ng: 0, errors: 0, latency: new LatencyWindow() };
      versions.set(version, counts);
    }
    return counts;
  }
}
