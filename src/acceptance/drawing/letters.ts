import { fill, type Box, type Canvas, type Colour } from './canvas.js';

/** Seven rows of five pixels for each letter, one hexadecimal byte a row, the leftmost pixel in bit 4. */
const LETTERS: Readonly<Record<string, string>> = {
  A: '0e11111f111111',
  B: '1e11111e11111e',
  C: '0e11101010110e',
  D: '1e11111111111e',
  E: '1f10101e10101f',
  F: '1f10101e101010',
  G: '0e11101711110f',
  H: '1111111f111111',
  I: '0e04040404040e',
  J: '0702020202120c',
  K: '11121418141211',
  L: '1010101010101f',
  M: '111b1515111111',
  N: '11191513111111',
  O: '0e11111111110e',
  P: '1e11111e101010',
  Q: '0e11111115120d',
  R: '1e11111e141211',
  S: '0f10100e01011e',
  T: '1f040404040404',
  U: '1111111111110e',
  V: '11111111110a04',
  W: '11111115151b11',
  X: '11110a040a1111',
  Y: '11110a04040404',
  Z: '1f01020408101f',
  '0': '0e11131519110e',
  '1': '040c040404040e',
  '2': '0e11010204081f',
  '3': '1f02040201110e',
  '4': '02060a121f0202',
  '5': '1f101e0101110e',
  '6': '0608101e11110e',
  '7': '1f010204080808',
  '8': '0e11110e11110e',
  '9': '0e11110f01020c',
  '-': '0000001f000000',
  _: '0000000000001f',
  '.': '00000000000c0c',
  '?': '0e110102040004',
  ' ': '00000000000000',
};
const ROWS = 7;
const COLUMNS = 5;

/** A word on a plate: its place, the side of a pixel of its letters, and its colours. */
export interface Plate extends Box {
  text: string;
  unit: number;
  ink: Colour;
  paper: Colour;
}

/** Size of a plate with a word. What has no letter here is left out. */
export function plateSize(text: string, unit: number): { width: number; height: number } {
  return { width: (lettersOf(text).length * (COLUMNS + 1) + 1) * unit, height: (ROWS + 2) * unit };
}

/** Writes a word on a plate. */
export function write(canvas: Canvas, { text, unit, ink, paper, ...place }: Plate): void {
  fill(canvas, place, paper);
  const [x, y] = [Math.round(place.x), Math.round(place.y)];
  lettersOf(text).forEach((rows, index) => {
    const left = x + (index * (COLUMNS + 1) + 1) * unit;
    for (let row = 0; row < ROWS; row++) {
      const bits = Number.parseInt(rows.slice(row * 2, row * 2 + 2), 16);
      for (let column = 0; column < COLUMNS; column++) {
        if ((bits & (1 << (COLUMNS - 1 - column))) === 0) continue;
        fill(canvas, { x: left + column * unit, y: y + (row + 1) * unit, width: unit, height: unit }, ink);
      }
    }
  });
}

function lettersOf(text: string): string[] {
  return Array.from(text.toUpperCase()).flatMap((letter) => LETTERS[letter] ?? []);
}
