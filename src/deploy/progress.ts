import { ProgressMeter } from '../progress-meter.js';
import type { DeployStage, OperationRef, DeployerProgressEvent } from './types.js';

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

/** A stream of unknown length does not move the fraction: its bytes are reported at this step. */
const RECEIVED_STEP_BYTES = 1 << 20;

const REMOVE_WEIGHTS: readonly (readonly [DeployStage, number])[] = [['remove', 1]];

/** Whether an operation goes through the stages of an install. */
export function isInstall({ operation }: OperationRef): boolean {
  return operation === 'install' || operation === 'restore';
}

/** Bytes that go through each stage, as far as they are known. */
export type StageBytes = Partial<Record<DeployStage, number>>;

/** Of the fraction: a large archive reports thousands of chunks. */
const STEP = 0.001;

/**
 * Turns what the stages report into bytes of the whole operation and one fraction that rises from 0 to 1. Stages that are
 * skipped are jumped over; a late report of an earlier stage is held back.
 */
export class StageMeter {
  readonly #starts = new Map<DeployStage, { start: number; share: number }>();
  readonly #meter: ProgressMeter<DeployStage>;
  #stage: DeployStage;
  #isFirst = true;
  /** Bytes of the stages that ended or were skipped. */
  #bytesBefore = 0;
  #doneBytes = 0;
  #reportedBytes = 0;
  #planned: StageBytes = {};

  /** `ref` is read at each event: name and version may become known on the way. */
  constructor(ref: OperationRef, emit: (event: DeployerProgressEvent) => void) {
    const weights = isInstall(ref) ? INSTALL_WEIGHTS : REMOVE_WEIGHTS;
    let start = 0;
    for (const [stage, share] of weights) {
      this.#starts.set(stage, { start, share });
      start += share;
    }
    this.#stage = weights[0]?.[0] ?? 'remove';
    this.#meter = new ProgressMeter<DeployStage>(this.#stage, STEP, (reading) => {
      this.#reportedBytes = reading.doneBytes;
      emit({ ...ref, ...reading });
    });
  }

  /** What the operation will go through, as soon as that is known. What was received counts already. */
  plan(bytes: StageBytes): void {
    this.#planned = { receive: this.#doneBytes, ...bytes };
    this.#bytesBefore = this.#doneBytes;
  }

  /** Enters a stage. */
  enter(stage: DeployStage): void {
    this.#bytesBefore += this.#planned[this.#stage] ?? 0;
    this.#doneBytes = Math.max(this.#doneBytes, this.#bytesBefore);
    this.#stage = stage;
    this.#read(this.#starts.get(stage)?.start ?? 0);
  }

  /** Part of the current stage that is done, 0 to 1. */
  within(part: number): void {
    const { start, share } = this.#starts.get(this.#stage) ?? { start: 0, share: 0 };
    const clamped = Math.min(1, Math.max(0, part));
    this.#doneBytes = Math.max(
      this.#doneBytes,
      this.#bytesBefore + Math.floor(clamped * (this.#planned[this.#stage] ?? 0)),
    );
    this.#read(start + share * clamped);
  }

  /** Bytes that have arrived of a stream, and how many it has, where that is known. */
  received(bytes: number, sizeBytes = 0): void {
    this.#doneBytes = bytes;
    if (sizeBytes > 0) {
      this.#planned = { receive: Math.max(sizeBytes, bytes) };
      this.within(bytes / sizeBytes);
    }
    if (bytes - this.#reportedBytes >= RECEIVED_STEP_BYTES) this.#read(0, true);
  }

  /** The operation succeeded. */
  finish(): void {
    this.#doneBytes = this.#totalBytes;
    this.#read(0);
    this.#meter.end(this.#stage);
  }

  get #totalBytes(): number {
    return Object.values(this.#planned).reduce((sum, bytes) => sum + bytes, 0);
  }

  #read(part: number, isNews = false): void {
    // The weights add up to 1 but for rounding; only finish() may say 1. Rounded to a millionth: sums of weights
    // would show as 0.12000000000000001.
    const fraction = this.#isFirst ? 0 : Math.min(Math.round(part * 1e6) / 1e6, 0.999);
    const reading = {
      stage: this.#stage,
      doneBytes: this.#doneBytes,
      totalBytes: this.#totalBytes,
      fraction,
    };
    this.#meter.at(reading, isNews || this.#isFirst);
    this.#isFirst = false;
  }
}
