import type { ImageRegion } from '../../frames/types.js';

/** Pixels of 8 bits, row by row without padding. */
export interface PlainPixels {
  data: Uint8Array;
  width: number;
  height: number;
  channels: 1 | 3;
}

/** Blackens regions, in place. What lies outside the picture is left out. */
export function blacken({ data, width, height, channels }: PlainPixels, masks: readonly ImageRegion[]): void {
  for (const mask of masks) {
    const [left, right] = [Math.max(0, mask.x), Math.min(width, mask.x + mask.width)];
    const [top, bottom] = [Math.max(0, mask.y), Math.min(height, mask.y + mask.height)];
    if (right <= left) continue;
    for (let row = top; row < bottom; row++) {
      data.fill(0, (row * width + left) * channels, (row * width + right) * channels);
    }
  }
}

/** Turns BGR into RGB, in place. */
export function swapRedAndBlue(data: Uint8Array): void {
  for (let at = 0; at + 2 < data.length; at += 3) {
    const first = data[at] ?? 0;
    data[at] = data[at + 2] ?? 0;
    data[at + 2] = first;
  }
}
