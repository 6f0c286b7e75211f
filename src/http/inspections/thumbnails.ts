import type { SentImage } from '../../frames/types.js';
import type { AlgorithmSupervisor } from '../../supervisor/algorithm-supervisor.js';
import type { CallObserver, ObservedCall } from '../../supervisor/calls/call-observer.js';

/** Pixels of a small picture, at most: 37 kB of RGB. */
const LARGEST = { width: 128, height: 96 };
/** Between two pictures that are taken. A faster line is seen in samples: nobody looks at more than twenty pictures a second. */
const LEAST_MS = 50;

/** A picture of an inspection, sampled. */
interface Thumbnail {
  width: number;
  height: number;
  /** RGB. */
  data: Uint8Array;
  /** Pixels of the picture itself. */
  of: { width: number; height: number };
}

/**
 * Small pictures of the last inspections of every caller. One takes some ten thousand values out of the frame when its call is
 * already with the worker, about a tenth of a millisecond; no frame is held for it, and it becomes a PNG when it is asked for.
 */
export class Thumbnails implements CallObserver {
  readonly #most: number;
  readonly #now: () => number;
  readonly #kept = new Map<string, Thumbnail>();
  #takenAt = -Infinity;

  /**
   * @param most - pictures that are kept; 0 keeps none
   * @param now - milliseconds of a steady clock
   */
  constructor(most: number, now: () => number = () => performance.now()) {
    this.#most = most;
    this.#now = now;
  }

  /** Looks on from now on. */
  watch(supervisor: AlgorithmSupervisor | undefined): void {
    if (this.#most === 0) return;
    supervisor?.observe(this).catch(() => undefined); // it was closed: there is nothing to look at
  }

  offer({ phase, requestId, images }: Pick<ObservedCall, 'phase' | 'requestId' | 'images'>): undefined {
    const now = this.#now();
    if (phase !== 'execute' || now - this.#takenAt < LEAST_MS) return;
    const taken = sampled(images.image);
    if (!taken) return;
    this.#takenAt = now;
    this.#kept.set(requestId, taken);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#most) break;
      this.#kept.delete(oldest);
    }
  }

  get(requestId: string): Thumbnail | undefined {
    return this.#kept.get(requestId);
  }

  close(): Promise<void> {
    this.#kept.clear();
    return Promise.resolve();
  }
}

/** Every so many pixels one; undefined for a picture that the host has not decoded. */
function sampled(image: SentImage): Thumbnail | undefined {
  const pixels = image.isLost ? undefined : image.pixels();
  if (!pixels) return undefined;
  const { width, height, color_space: space, bits = 8, dtype } = image.meta;
  const valueBytes = dtype === 'uint16' ? 2 : 1;
  const channels = Math.round(pixels.length / (width * height * valueBytes));
  const order = channels === 1 ? [0, 0, 0] : space === 'BGR' ? [2, 1, 0] : [0, 1, 2];
  const ratio = Math.min(1, LARGEST.width / width, LARGEST.height / height);
  const small = {
    width: Math.max(1, Math.round(width * ratio)),
    height: Math.max(1, Math.round(height * ratio)),
  };
  const data = new Uint8Array(small.width * small.height * 3);
  let to = 0;
  for (let y = 0; y < small.height; y++) {
    const row = Math.floor(((y + 0.5) * height) / small.height) * width;
    for (let x = 0; x < small.width; x++) {
      const at = (row + Math.floor(((x + 0.5) * width) / small.width)) * channels;
      for (const channel of order) {
        const from = (at + channel) * valueBytes;
        const value = pixels[from] ?? 0;
        data[to++] = valueBytes === 1 ? value : (value | ((pixels[from + 1] ?? 0) << 8)) >> (bits - 8);
      }
    }
  }
  return { ...small, data, of: { width, height } };
}
