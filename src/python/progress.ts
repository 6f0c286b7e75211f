import { ProgressMeter, type ProgressReading } from '../progress-meter.js';
import type { VenvStage } from './types.js';

/** A file or a chunk at a time there would be thousands of events. */
const STEP = 0.01;

/** How far the installation into an environment is: by the bytes of its wheels. */
export class Progress {
  readonly #meter: ProgressMeter<VenvStage>;

  constructor(report: (progress: ProgressReading<VenvStage>) => void) {
    this.#meter = new ProgressMeter<VenvStage>('resolve', STEP, report);
  }

  /** Some bytes of all are done. The total may change as more is known; the fraction does not fall. */
  readonly at = (stage: VenvStage, doneBytes: number, totalBytes: number): void => {
    const { last } = this.#meter;
    const total = Math.max(totalBytes, last.totalBytes);
    const done = Math.min(total, Math.max(doneBytes, last.doneBytes));
    const isNews = stage !== last.stage || total > last.totalBytes;
    const fraction = total === 0 ? 0 : done / total;
    this.#meter.at({ stage, doneBytes: done, totalBytes: total, fraction }, isNews);
  };

  /** All is done. */
  end(): void {
    this.#meter.end('install');
  }
}
