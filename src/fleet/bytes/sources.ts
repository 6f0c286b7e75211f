import type { OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import type { WantedPackage } from '../ports.js';
import { ContentSource, pause, SourceFault, type SourceBounds } from './source.js';

interface State {
  source: ContentSource;
  /** Faults in a row that may pass. */
  faults: number;
  /** Said last, for the error when nothing is left. */
  reason: string | undefined;
  kind: SourceFault['kind'] | undefined;
  /** Not asked again in this fetch. */
  isLeft: boolean;
  notBefore: number;
}

const FIRST_PAUSE_MS = 200;
/** What a source counts for that says when to come again: it is there, and busy. */
const PATIENCE = 0.1;
/** A source that gave so much before it broke off is no worse for it. */
const PROGRESS_BYTES = 2 ** 20;

/** The sources of one fetch: asked in their order, each left for what it did. */
export class Sources implements Disposable {
  readonly #states: State[];
  readonly #attempts: number;
  readonly #wanted: WantedPackage;

  constructor(urls: readonly string[], o: SourceBounds & { attempts: number; wanted: WantedPackage }) {
    this.#attempts = o.attempts;
    this.#wanted = o.wanted;
    this.#states = [...new Set(urls)].map((url) => ({
      source: new ContentSource(url, o),
      ...{ faults: 0, reason: undefined, kind: undefined, isLeft: false, notBefore: 0 },
    }));
  }

  /**
   * Gives work to one source after another until one does it. A source that lies is left for good; a source that is away is asked
   * again later, up to the attempts that it has.
   *
   * @param what - for the error: `its manifest`
   * @throws RunnerError `source_missing`, `digest_mismatch`, `unreachable`, `aborted`, and what the work throws besides a SourceFault
   */
  async first<T>(
    what: string,
    work: (source: ContentSource) => Promise<T>,
    { signal }: OperationOptions = {},
  ): Promise<T> {
    /** Of this very thing: they may have others. */
    const lacking = new Set<State>();
    for (;;) {
      const [state] = this.#states
        .filter((one) => !one.isLeft && !lacking.has(one))
        .sort((a, b) => a.notBefore - b.notBefore);
      if (!state) throw this.#nothingLeft(what, lacking);
      const waitMs = state.notBefore - performance.now();
      if (waitMs > 0) await pause(waitMs, signal);
      try {
        const result = await work(state.source);
        Object.assign(state, { faults: 0, notBefore: 0 });
        return result;
      } catch (error) {
        if (!(error instanceof SourceFault)) throw error;
        this.#take(state, error);
        if (error.kind === 'missing') lacking.add(state);
      }
    }
  }

  [Symbol.dispose](): void {
    for (const { source } of this.#states) source[Symbol.dispose]();
  }

  #take(state: State, fault: SourceFault): void {
    state.reason = fault.message;
    state.kind = fault.kind;
    if (fault.kind === 'missing') return;
    if (fault.kind !== 'away') {
      state.isLeft = true;
      return;
    }
    // A line that breaks again and again brings a large file home all the same.
    state.faults =
      fault.bytes >= PROGRESS_BYTES ? 1 : state.faults + (fault.waitMs === undefined ? 1 : PATIENCE);
    state.isLeft = state.faults >= this.#attempts;
    state.notBefore =
      performance.now() + (fault.waitMs ?? FIRST_PAUSE_MS * 2 ** Math.floor(state.faults - 1));
  }

  /** What may pass is said first: the same call may succeed later. */
  #nothingLeft(what: string, lacking: ReadonlySet<State>): RunnerError {
    const { name, version, digest } = this.#wanted;
    const kinds = this.#states.map((state) => (lacking.has(state) ? 'missing' : state.kind));
    const said = this.#states.map(({ source, reason = 'was not asked' }) => `${source.url} ${reason}`);
    const list = said.length > 0 ? `: ${said.join('; ')}` : ': no source is named';
    const message = `No source gives ${what} of ${name} ${version} (${digest})${list}. `;
    const details = { name, version };
    if (kinds.includes('away') || kinds.includes('refused')) {
      return new RunnerError('unreachable', `${message}Look at the network and at what these servers say`, {
        details,
      });
    }
    if (kinds.includes('wrong')) {
      return new RunnerError('digest_mismatch', `${message}Copy the package to the source again`, {
        details,
      });
    }
    return new RunnerError('source_missing', `${message}Put the package into zips/ of a source`, { details });
  }
}
