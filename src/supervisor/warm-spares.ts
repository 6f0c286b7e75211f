import { RunnerError } from '../errors.js';
import type { AlgorithmWorker } from '../worker/algorithm-worker.js';

/** Starts a worker; `place` tells where it stands whenever it says something. */
export type Boot = (place: () => number | undefined) => Promise<AlgorithmWorker>;

/** Ready workers beyond those that serve, to step in for one that fails. */
export class WarmSpares {
  readonly #wanted: number;
  readonly #boot: Boot;
  readonly #listener: { ready: (worker: AlgorithmWorker) => void; failed: (error: RunnerError) => void };
  readonly #ready: { worker: AlgorithmWorker; seatAt: (index: number) => void }[] = [];
  #starting = 0;

  constructor(
    wanted: number,
    boot: Boot,
    listener: { ready: (worker: AlgorithmWorker) => void; failed: (error: RunnerError) => void },
  ) {
    this.#wanted = wanted;
    this.#boot = boot;
    this.#listener = listener;
  }

  /** How many stand ready. */
  get count(): number {
    return this.#ready.length;
  }

  /**
   * Starts what is missing. One that cannot start is told of, and tried again when a worker has failed: a crash loop
   * is for the restart policy to see, and it sees those that serve.
   */
  fill(): void {
    for (let missing = this.#wanted - this.#ready.length - this.#starting; missing > 0; missing--) {
      this.#starting++;
      let place: number | undefined;
      this.#boot(() => place)
        .then((worker) => {
          this.#ready.push({ worker, seatAt: (index) => (place = index) });
          this.#listener.ready(worker);
        })
        .catch((error: unknown) => {
          if (RunnerError.is(error)) this.#listener.failed(error);
        })
        .finally(() => {
          this.#starting--;
        });
    }
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
    if (index !== -1) this.#ready.splice(index, 1);
    return index !== -1;
  }

  /** Ends them all. */
  dismiss(reason: string): void {
    for (const { worker } of this.#ready.splice(0)) void worker.stop(reason);
  }
}
