import { RunnerError } from '../../errors.js';
import type { AlgorithmWorker } from '../../worker/algorithm-worker.js';

/** Starts a worker; `place` tells where it stands whenever it says something. */
export type Boot = (place: () => number | undefined) => Promise<AlgorithmWorker>;

/** What spares are made of, and who hears of them. */
interface SparesContext {
  /** How many are to stand ready. */
  wanted: () => number;
  boot: Boot;
  /** Runs something after a pause; the answer cancels it. */
  later: (run: () => void) => () => void;
  ready: (worker: AlgorithmWorker) => void;
  failed: (error: RunnerError) => void;
}

/**
 * Ready workers beyond those that serve, to replace a worker that fails. A spare that cannot start, or that dies, is
 * followed by another after a pause: a crash loop is for the restart policy to see, and it sees those that serve.
 */
export class WarmSpares {
  readonly #context: SparesContext;
  readonly #ready: { worker: AlgorithmWorker; seatAt: (index: number) => void }[] = [];
  #starting = 0;
  #isWanted = false;
  #cancelLater: (() => void) | undefined;

  constructor(context: SparesContext) {
    this.#context = context;
  }

  /** How many stand ready. */
  get count(): number {
    return this.#ready.length;
  }

  /** Starts what is missing, and sees from now on that nothing is. */
  fill(): void {
    this.halt();
    this.#isWanted = true;
    const missing = this.#context.wanted() - this.#ready.length - this.#starting;
    for (const { worker } of this.#ready.splice(this.#context.wanted()))
      void worker.stop('no spare is wanted any more');
    for (let count = 0; count < missing; count++) void this.#start();
  }

  /** A spare that is still well, from now on at `index`. */
  take(index: number): AlgorithmWorker | undefined {
    for (let spare = this.#ready.shift(); spare; spare = this.#ready.shift()) {
      if (spare.worker.state !== 'idle') continue;
      spare.seatAt(index);
      return spare.worker;
    }
    return undefined;
  }

  /** Whether it was one of these that exited; it is forgotten. */
  forget(worker: AlgorithmWorker): boolean {
    const index = this.#ready.findIndex((spare) => spare.worker === worker);
    if (index === -1) return false;
    this.#ready.splice(index, 1);
    this.#fillLater();
    return true;
  }

  /** Starts no more spares until {@link fill} is called. */
  halt(): void {
    this.#isWanted = false;
    this.#cancelLater?.();
    this.#cancelLater = undefined;
  }

  /** Ends them all, also those that are starting. */
  dismiss(reason: string): void {
    this.halt();
    for (const { worker } of this.#ready.splice(0)) void worker.stop(reason);
  }

  async #start(): Promise<void> {
    const { boot, ready, failed } = this.#context;
    let place: number | undefined;
    this.#starting++;
    try {
      const worker = await boot(() => place);
      if (!this.#isWanted) {
        void worker.stop('no spare is wanted any more');
        return;
      }
      this.#ready.push({ worker, seatAt: (index) => (place = index) });
      ready(worker);
    } catch (error) {
      if (RunnerError.is(error)) failed(error);
      this.#fillLater();
    } finally {
      this.#starting--;
    }
  }

  #fillLater(): void {
    if (!this.#isWanted || this.#cancelLater) return;
    this.#cancelLater = this.#context.later(() => {
      this.fill();
    });
  }
}
