/** Some workers that take one call at a time each: what more there is waits, first come, first served. */
export class WorkerQueue<Worker> {
  readonly #idle: Worker[];
  readonly #waiting: ((worker: Worker) => void)[] = [];

  constructor(readonly workers: readonly Worker[]) {
    this.#idle = [...workers];
  }

  async run<T>(work: (worker: Worker) => Promise<T>): Promise<T> {
    const worker = this.#idle.pop() ?? (await new Promise<Worker>((resolve) => this.#waiting.push(resolve)));
    try {
      return await work(worker);
    } finally {
      const next = this.#waiting.shift();
      if (next) next(worker);
      else this.#idle.push(worker);
    }
  }
}
