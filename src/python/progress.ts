import type { VenvStage } from './types.js';

export interface ProgressReport {
  stage: VenvStage;
  doneBytes: number;
  totalBytes: number;
  fraction: number;
}

/** Steps that are worth an event: a file or a chunk at a time there would be thousands. */
const STEP = 0.01;

/** Keeps progress from ever going back, and brings it to its end. */
export class Progress {
  #last: ProgressReport = { stage: 'resolve', doneBytes: 0, totalBytes: 0, fraction: 0 };
  #reported = 0;
  readonly #report: (progress: ProgressReport) => void;

  constructor(report: (progress: ProgressReport) => void) {
    this.#report = report;
  }

  /** Some bytes of all are done. The total may change as more is known; the fraction does not fall. */
  readonly at = (stage: VenvStage, doneBytes: number, totalBytes: number): void => {
    const total = Math.max(totalBytes, this.#last.totalBytes);
    const done = Math.min(total, Math.max(doneBytes, this.#last.doneBytes));
    const fraction = Math.max(this.#last.fraction, total === 0 ? 0 : done / total);
    const isNews = stage !== this.#last.stage || total > this.#last.totalBytes;
    this.#last = { stage, doneBytes: done, totalBytes: total, fraction };
    if (isNews || fraction - this.#reported >= STEP) this.#tell();
  };

  /** All is done. */
  end(): void {
    const { totalBytes } = this.#last;
    if (this.#reported === 1) return;
    this.#last = { stage: 'install', doneBytes: totalBytes, totalBytes, fraction: 1 };
    this.#tell();
  }

  #tell(): void {
    this.#reported = this.#last.fraction;
    this.#report(this.#last);
  }
}
