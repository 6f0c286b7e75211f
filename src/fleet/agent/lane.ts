/** Work that is done once at a time: a wake during the work has it done once more. */
export class WorkLane {
  readonly #work: () => Promise<void>;
  readonly #onFailure: (error: unknown) => void;
  #running: Promise<void> | undefined;
  #isWoken = false;
  #isClosed = false;

  constructor(work: () => Promise<void>, onFailure: (error: unknown) => void) {
    this.#work = work;
    this.#onFailure = onFailure;
  }

  wake(): void {
    this.#isWoken = true;
    if (!this.#isClosed) this.#running ??= this.#run();
  }

  /** Resolves once nothing runs; nothing is begun any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#isWoken && !this.#isClosed) {
      this.#isWoken = false;
      await this.#work().catch(this.#onFailure);
    }
    this.#running = undefined;
  }
}
