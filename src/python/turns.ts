/**
 * Lets one after the other into what takes memory: of two wheels of ten thousand files the directories are read in turn, while
 * all else of them goes side by side.
 */
export class Turns {
  #last: Promise<void> = Promise.resolve();

  /** Waits for all that came before. Who has the turn must give it up, by what it gets; more than once does no harm. */
  async take(): Promise<() => void> {
    const before = this.#last;
    let giveUp: () => void = () => undefined;
    this.#last = new Promise((resolve) => (giveUp = resolve));
    await before;
    return giveUp;
  }
}
