// @ts-check
/** Turns and mirrors pixels as EXIF's orientation (tag 0x0112) asks for. */

/**
 * @param {Uint8Array<ArrayBuffer>} pixels - height x width x channels, row-major
 * @param {{ width: number; height: number; channels: number; turn: number }} o - the size before the turn
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function turned(pixels, { width, height, channels, turn }) {
  if (turn === 1) return pixels;
  const [first, across, down] = stepsOf(turn, width, height);
  const out = new Uint8Array(pixels.length);
  let from = 0;
  for (let row = 0; row < height; row++) {
    let to = (first + row * down) * channels;
    for (let column = 0; column < width; column++, to += across * channels) {
      for (let channel = 0; channel < channels; channel++) out[to + channel] = pixels[from++] ?? 0;
    }
  }
  return out;
}

/**
 * Where the first pixel goes, and how far it is from there to the next of its row and to the next of its column.
 * @param {number} turn @param {number} width @param {number} height @returns {[number, number, number]}
 */
function stepsOf(turn, width, height) {
  const last = width * height - 1;
  if (turn === 2) return [width - 1, -1, width];
  if (turn === 3) return [last, -1, -width];
  if (turn === 4) return [(height - 1) * width, 1, -width];
  if (turn === 5) return [0, height, 1];
  if (turn === 6) return [height - 1, height, -1];
  if (turn === 7) return [last, -height, -1];
  return [(width - 1) * height, -height, 1];
}
