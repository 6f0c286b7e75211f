import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { EncodedMeta } from '../../src/frames/types.js';

/** Pixels that pictures are made of. */
export interface Base {
  name: string;
  width: number;
  height: number;
  channels: 1 | 2 | 3 | 4;
  bits: 8 | 16;
  data: Uint8Array | Uint16Array;
}

/** A picture as a tool wrote it, and what is to become of it. */
export interface Picture {
  tool: string;
  title: string;
  /** Below the folder of all. */
  file: string;
  options: EncodedMeta;
  truth:
    | {
        /** The pixels that it was made of: its format loses none. */
        base: string;
        /** Of those, the first so many. */
        channels: 1 | 3;
        orientation?: number;
        /** Bits that its format has of each. */
        bits?: 1;
      }
    | {
        /** What decodes it: its format changes the pixels. */
        decodedBy: 'opencv' | 'pillow';
        orientation?: number;
      }
    | {
        /** What the refusal says. */
        fault: string;
      };
}

const SIZES = [
  [37, 23],
  [64, 48],
  [5, 120],
] as const;

/** Bytes that look like nothing, the same at each run; `smooth`: a slope with some of it, as lossy formats are made for. */
function valuesOf(length: number, { seed, most, smooth }: { seed: number; most: number; smooth: boolean }) {
  let state = seed;
  return Array.from({ length }, (_, index) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const noise = state / 2 ** 32;
    return smooth
      ? Math.floor(((index % 997) / 997) * 0.8 * most + noise * 0.15 * most)
      : Math.floor(noise * (most + 1));
  });
}

/** Every kind in every size: `rgb8 37x23`. */
export function makeBases(): Map<string, Base> {
  const bases = SIZES.flatMap(([width, height], size) =>
    ([1, 2, 3, 4] as const).flatMap((channels) =>
      ([8, 16] as const).flatMap((bits) =>
        [false, true].map((smooth): Base => {
          const kind = ['gray', 'la', 'rgb', 'rgba'][channels - 1] ?? '';
          const values = valuesOf(width * height * channels, {
            ...{ seed: 1000 * size + 100 * channels + bits, most: 2 ** bits - 1, smooth },
          });
          const data = bits === 8 ? Uint8Array.from(values) : Uint16Array.from(values);
          return {
            name: `${smooth ? 'smooth-' : ''}${kind}${bits} ${width}x${height}`,
            width,
            height,
            channels,
            bits,
            data,
          };
        }),
      ),
    ),
  );
  return new Map(bases.map((base) => [base.name, base]));
}

export const SHIFT: EncodedMeta = { toEightBits: 'shift' };
export const RANGE: EncodedMeta = { toEightBits: { min: 1000, max: 40_000 } };

/** Takes what one tool writes. */
export class Shelf {
  readonly pictures: Picture[] = [];
  readonly folder: string;
  readonly tool: string;

  constructor(folder: string, tool: string) {
    this.folder = folder;
    this.tool = tool;
  }

  async add(
    title: string,
    content: Uint8Array,
    truth: Picture['truth'],
    options: EncodedMeta = {},
  ): Promise<void> {
    const file = `${this.tool}-${this.pictures.length}`;
    await writeFile(path.join(this.folder, file), content);
    this.pictures.push({ tool: this.tool, title, file, options, truth });
  }

  /** The same file by each rule for 16 bits, and without one. */
  async addSixteen(title: string, content: Uint8Array, base: string, channels: 1 | 3): Promise<void> {
    await this.add(`${title}, shifted`, content, { base, channels }, SHIFT);
    await this.add(`${title}, stretched`, content, { base, channels }, RANGE);
    await this.add(`${title}, without a rule`, content, { fault: '16 bits a channel.*toEightBits' });
  }
}
