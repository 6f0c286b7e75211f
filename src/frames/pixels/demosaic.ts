import { excessBits } from './excess-bits.js';
import { kernels, OUT, OUT_BYTES, MOSAIC_PORTION_BYTES, RAW, STRIP, STRIP_BYTES } from './kernels.js';
import { narrowing } from './narrowing.js';
import type { PixelSource } from './source.js';

/**
 * A Bayer mosaic to RGB, bilinear: a colour that a pixel lacks is the rounded mean of its two or four nearest neighbours of
 * that colour; the outermost pixels are copies of those beside them. Values of more than 8 bits are brought to 8 first. A
 * region is the part of the whole picture's result, its neighbours counted in.
 */
export function demosaic(target: Uint8Array, source: PixelSource): void {
  const { bytes, format, width, height, origin, step, region } = source;
  const { memory, ...tools } = kernels();
  const size = format.pixelBits / 8;
  const narrow = size === 2 ? narrowing({ memory, ...tools }, source) : undefined;
  // The columns that are needed: one more on each side, and three at least.
  const left = Math.max(0, Math.min(region.x - 1, width - 3));
  const columns = Math.min(width, Math.max(region.x + region.width + 1, 3)) - left;
  const most = Math.max(
    1,
    Math.min(
      Math.floor(STRIP_BYTES / columns) - 2,
      Math.floor(OUT_BYTES / (3 * columns)),
      Math.floor(MOSAIC_PORTION_BYTES / columns),
    ),
  );
  const inner = (row: number) => Math.min(Math.max(row, 1), height - 2);
  const rowsAtOnce = Math.floor(MOSAIC_PORTION_BYTES / (columns * size));
  let used = 0;
  const load = (row: number, rows: number, to: number) => {
    const at = origin + row * step + left * size;
    if (!narrow) {
      memory.set(bytes.subarray(at, at + rows * columns), to);
      return;
    }
    memory.set(bytes.subarray(at, at + rows * columns * size), RAW);
    used |= narrow(RAW, to, rows * columns);
  };
  const isOneRun = step === columns * size;
  for (let from = 0; from < region.height; from += most) {
    const count = Math.min(most, region.height - from);
    const first = inner(region.y + from) - 1;
    const last = inner(region.y + from + count - 1) + 1;
    const portion = isOneRun ? Math.max(1, rowsAtOnce) : 1;
    for (let row = first; row <= last; row += portion) {
      load(row, Math.min(portion, last + 1 - row), STRIP + (row - first) * columns);
    }
    for (let index = 0; index < count; index++) {
      const row = inner(region.y + from + index);
      const { green, red } = phaseOf(format.bayer ?? 'RG', left, row);
      const at = STRIP + (row - first) * columns;
      tools.demosaic(at, columns, OUT + 3 * index * columns, columns, green, red);
    }
    const skipped = region.x - left;
    if (region.width === columns) {
      target.set(memory.subarray(OUT, OUT + 3 * count * columns), 3 * from * columns);
    } else {
      for (let index = 0; index < count; index++) {
        const at = OUT + 3 * (index * columns + skipped);
        target.set(memory.subarray(at, at + 3 * region.width), 3 * (from + index) * region.width);
      }
    }
  }
  if (used >> format.bits) throw excessBits(format, used);
}

/** Of the pixel in this column and row: whether it is green (0 or 1), and whether the other colour of its row is red. */
function phaseOf(order: string, column: number, row: number): { green: number; red: number } {
  const isGreenFirst = order.startsWith('G') ? 1 : 0;
  const hasRedFirst = order.includes('R');
  const isRed = (row & 1) === 0 ? hasRedFirst : !hasRedFirst;
  return { green: isGreenFirst ^ (column & 1) ^ (row & 1), red: isRed ? 1 : 0 };
}
