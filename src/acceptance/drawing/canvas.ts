/** An RGB picture to draw on: width x height x 3 bytes, row-major. */
export interface Canvas {
  width: number;
  height: number;
  data: Uint8Array;
}

/** A rectangle in pixels. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export type Colour = readonly [red: number, green: number, blue: number];

/** Fills the part of a box that lies within the picture; corners are rounded to whole pixels. */
export function fill(canvas: Canvas, box: Box, colour: Colour): void {
  const left = Math.max(Math.round(box.x), 0);
  const right = Math.min(Math.round(box.x + box.width), canvas.width);
  const top = Math.max(Math.round(box.y), 0);
  const bottom = Math.min(Math.round(box.y + box.height), canvas.height);
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) canvas.data.set(colour, (y * canvas.width + x) * 3);
  }
}

/** Pixels as a frame has them. */
export interface Pixels {
  width: number;
  height: number;
  channels: 1 | 3;
  colorSpace: 'RGB' | 'BGR';
  data: Uint8Array;
}

/** Pixels of a frame as RGB, no side longer than `maxSide`: a smaller picture's pixel is the mean of those it stands for. */
export function canvasOf(pixels: Pixels, maxSide: number): Canvas {
  const ratio = Math.min(1, maxSide / Math.max(pixels.width, pixels.height));
  const width = Math.max(1, Math.round(pixels.width * ratio));
  const height = Math.max(1, Math.round(pixels.height * ratio));
  const canvas = { width, height, data: new Uint8Array(width * height * 3) };
  const { channels, colorSpace } = pixels;
  const order = channels === 1 ? [0, 0, 0] : colorSpace === 'BGR' ? [2, 1, 0] : [0, 1, 2];
  order.forEach((from, to) => {
    shrinkChannel(pixels, from, canvas, to);
  });
  return canvas;
}

function shrinkChannel(pixels: Pixels, from: number, canvas: Canvas, to: number): void {
  const { data, channels } = pixels;
  const columns = edgesOf(pixels.width, canvas.width);
  const rows = edgesOf(pixels.height, canvas.height);
  for (let y = 0; y < canvas.height; y++) {
    const top = rows[y] ?? 0;
    const bottom = rows[y + 1] ?? 0;
    for (let x = 0; x < canvas.width; x++, to += 3) {
      const left = columns[x] ?? 0;
      const right = columns[x + 1] ?? 0;
      let sum = 0;
      for (let row = top; row < bottom; row++) {
        const start = row * pixels.width;
        for (let column = left; column < right; column++) {
          sum += data[(start + column) * channels + from] ?? 0;
        }
      }
      canvas.data[to] = sum / ((bottom - top) * (right - left)) + 0.5;
    }
  }
}

/** Where each of `to` parts of `from` places begins, and the end; no part is empty because `to` is not above `from`. */
function edgesOf(from: number, to: number): Int32Array {
  return Int32Array.from({ length: to + 1 }, (_, index) => Math.floor((index * from) / to));
}
