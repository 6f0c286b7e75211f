/** Who is compared in the cases of `peers/`: each does the same work on the same pictures. */
import type { BenchContext } from '../harness/case.js';

export interface Picture {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** The right answer: mean of the 64 x 64 pixels in the middle. */
  readonly mean: number;
}

/** One picture that can be inspected again and again; resolves with the answer. */
export type Inspect = () => Promise<number>;

export interface RunningPeer {
  /** Takes pictures in. What works in place has them in shared memory from now on; the others only keep them. */
  readonly load: (pictures: readonly Picture[]) => Promise<Inspect[]>;
  readonly close: () => Promise<unknown>;
}

export interface Peer {
  readonly name: string;
  /** Installs and deploys what is needed, once: no part of a cold start. Throws `Unavailable` where it cannot be had. */
  readonly prepare: (context: BenchContext) => Promise<unknown>;
  /** Starts it with so many workers. */
  readonly start: (context: BenchContext, workers: number) => Promise<RunningPeer>;
}

export const SMALL = { width: 640, height: 480 };
export const LARGE = { width: 1920, height: 1200 };

const CROP = 64;

/** Pictures of one size, each with another content and so with another answer. */
export function picturesOf({ width, height }: typeof SMALL, count = 3): Picture[] {
  return Array.from({ length: count }, (_, n) => {
    const data = new Uint8Array(width * height * 3);
    for (let at = 0; at < data.length; at++) data[at] = (at * 7 + n * 53) % 251;
    let sum = 0;
    const [top, left] = [height / 2 - CROP / 2, width / 2 - CROP / 2];
    for (let row = top; row < top + CROP; row++) {
      const start = (row * width + left) * 3;
      for (const value of data.subarray(start, start + CROP * 3)) sum += value;
    }
    return { data, width, height, mean: sum / (CROP * CROP * 3) };
  });
}

/** Inspects and holds the answer against the right one: a fast wrong answer is no figure. */
export function checked(inspect: Inspect, { mean }: Picture): () => Promise<void> {
  return async () => {
    const answer = await inspect();
    if (!(Math.abs(answer - mean) < 1e-6)) throw new Error(`it answered ${answer}, not ${mean}`);
  };
}
