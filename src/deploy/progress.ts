import type { DeployStage, OperationRef, ProgressEvent } from './types.js';

/** Share of the whole each stage of an install takes, about as measured with a 10 MB package. */
const INSTALL_WEIGHTS: readonly (readonly [DeployStage, number])[] = [
  ['receive', 0.1],
  ['inspect', 0.02],
  ['space', 0.01],
  ['unpack', 0.2],
  ['environment', 0.35],
  ['smoke', 0.25],
  ['seal', 0.05],
  ['publish', 0.01],
  ['register', 0.01],
];

const REMOVE_WEIGHTS: readonly (readonly [DeployStage, number])[] = [['remove', 1]];

/**
 * Turns what the stages report into one fraction that rises from 0 to 1. Stages that are skipped are jumped over; a
 * late report of an earlier stage is held back.
 */
export class ProgressMeter {
  readonly #starts = new Map<DeployStage, { start: number; share: number }>();
  readonly #ref: OperationRef;
  readonly #emit: (event: ProgressEvent) => void;
  #stage: DeployStage;
  #fraction = -1;
  #doneBytes = 0;
  #totalBytes = 0;

  /** `ref` is read at each event: name and version may become known on the way. */
  constructor(ref: OperationRef, emit: (event: ProgressEvent) => void) {
    this.#ref = ref;
    this.#emit = emit;
    const weights = ref.operation === 'install' ? INSTALL_WEIGHTS : REMOVE_WEIGHTS;
    let start = 0;
    for (const [stage, share] of weights) {
      this.#starts.set(stage, { start, share });
      start += share;
    }
    this.#stage = weights[0]?.[0] ?? 'remove';
  }

  /** Enters a stage. */
  enter(stage: DeployStage): void {
    this.#stage = stage;
    this.#report(this.#starts.get(stage)?.start ?? 0);
  }

  /** Part of the current stage that is done, 0 to 1. */
  within(part: number): void {
    const { start, share } = this.#starts.get(this.#stage) ?? { start: 0, share: 0 };
    this.#report(start + share * Math.min(1, Math.max(0, part)));
  }

  /** As {@link within}, counted in bytes, which the events then carry. */
  bytes(doneBytes: number, totalBytes: number): void {
    this.#doneBytes = doneBytes;
    this.#totalBytes = totalBytes;
    this.within(totalBytes > 0 ? doneBytes / totalBytes : 0);
  }

  /** The operation succeeded. */
  finish(): void {
    if (this.#totalBytes > 0) this.#doneBytes = this.#totalBytes;
    this.#report(1);
  }

  #report(fraction: number): void {
    // The weights add up to 1 but for rounding; only finish() may say 1.
    const capped = fraction === 1 ? 1 : Math.min(fraction, 0.999);
    if (capped <= this.#fraction) return;
    const isFirst = this.#fraction < 0;
    // An event for each per mille at most: a large archive reports thousands of chunks.
    if (!isFirst && capped < 1 && capped - this.#fraction < 0.001) return;
    this.#fraction = isFirst ? 0 : capped;
    this.#emit({
      ...this.#ref,
      stage: this.#stage,
      doneBytes: this.#doneBytes,
      totalBytes: this.#totalBytes,
      fraction: this.#fraction,
    });
  }
}
