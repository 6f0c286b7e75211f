import type { FramePool } from '../../frames/frame-pool.js';
import type { Deployment } from '../deployments/deployment.js';
import type { CallEnd, CallObserver, SentImages } from './call-observer.js';
import type { Inspection } from './inspection.js';

/** Share of the memory for frames above which those who look on may hold none of it. */
const MOST_LOAD = 0.5;

/** Tells those who look on of one call: when it is on its way, and how it ended. */
export class Watch {
  /** How long they want the images to stay. */
  readonly retained: Promise<unknown>[] = [];
  readonly #observers: ReadonlySet<CallObserver>;
  readonly #frames: FramePool;
  readonly #inspection: Inspection;
  readonly #deployment: Deployment;
  readonly #ended: Promise<CallEnd>;
  #hasBegun = false;
  #resolve!: (end: CallEnd) => void;

  constructor(
    observers: ReadonlySet<CallObserver>,
    frames: FramePool,
    inspection: Inspection,
    deployment: Deployment,
  ) {
    this.#observers = observers;
    this.#frames = frames;
    this.#inspection = inspection;
    this.#deployment = deployment;
    this.#ended = new Promise((resolve) => (this.#resolve = resolve));
  }

  /** Once, however often the call is tried. `together`: calls in its message. */
  begin(images: SentImages, together = 1): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    const { phase, request, asked, requestId } = this.#inspection;
    const { name, version } = this.#deployment.entry;
    const isShort = this.#frames.load > MOST_LOAD;
    const about = { phase, request, asked, requestId, name, version };
    const call = { ...about, images, isShort, together, ended: this.#ended };
    for (const observer of this.#observers) {
      try {
        const retained = observer.offer(call);
        if (retained) this.retained.push(retained);
      } catch {
        // An observer has no part in the call.
      }
    }
  }

  end(end: CallEnd): void {
    this.#resolve(end);
  }
}
