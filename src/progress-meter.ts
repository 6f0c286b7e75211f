/** How far something is, in stages of its own. */
export interface ProgressReading<Stage extends string> {
  stage: Stage;
  doneBytes: number;
  totalBytes: number;
  /** From 0 to 1. */
  fraction: number;
}

/**
 * Passes on what is news of readings, which may come as often as they like and late: no figure that it passes on goes back,
 * and each report is a step further than the one before, or about something else that is new.
 */
export class ProgressMeter<Stage extends string> {
  readonly #step: number;
  readonly #report: (reading: ProgressReading<Stage>) => void;
  #last: ProgressReading<Stage>;
  #reported = 0;

  /** `step`: of the fraction, that is worth a report; there would be thousands, one for each file or chunk. */
  constructor(first: Stage, step: number, report: (reading: ProgressReading<Stage>) => void) {
    this.#last = { stage: first, doneBytes: 0, totalBytes: 0, fraction: 0 };
    this.#step = step;
    this.#report = report;
  }

  /** What was read last, with what had come before. */
  get last(): Readonly<ProgressReading<Stage>> {
    return this.#last;
  }

  /** Takes a reading. `isNews`: it is worth a report however small the step. */
  at({ stage, doneBytes, totalBytes, fraction }: ProgressReading<Stage>, isNews = false): void {
    const last = this.#last;
    this.#last = {
      ...{ stage, totalBytes },
      doneBytes: Math.max(doneBytes, last.doneBytes),
      fraction: Math.max(fraction, last.fraction),
    };
    if (isNews || this.#last.fraction - this.#reported >= this.#step) this.#tell();
  }

  /** All is done. A second end is none. */
  end(stage: Stage): void {
    if (this.#reported === 1) return;
    const { totalBytes } = this.#last;
    this.#last = { stage, doneBytes: totalBytes, totalBytes, fraction: 1 };
    this.#tell();
  }

  #tell(): void {
    this.#reported = this.#last.fraction;
    this.#report(this.#last);
  }
}
