import { blank, fill, type Box, type Colour, type Picture } from '../picture/picture.js';

const BOARD: Colour = [24, 98, 58];
const TRACE: Colour = [38, 128, 78];
const PAD: Colour = [212, 190, 120];
const CHIP: Colour = [34, 36, 40];
const RESISTOR: Colour = [196, 178, 150];
const CAPACITOR: Colour = [150, 96, 48];

interface Part extends Box {
  name: string;
  colour: Colour;
}

/** The parts of the board, by designator. */
export const PARTS: readonly Part[] = [
  { name: 'U1', x: 96, y: 96, width: 128, height: 128, colour: CHIP },
  { name: 'U2', x: 368, y: 80, width: 176, height: 72, colour: CHIP },
  { name: 'C1', x: 96, y: 312, width: 40, height: 56, colour: CAPACITOR },
  { name: 'C2', x: 176, y: 312, width: 40, height: 56, colour: CAPACITOR },
  { name: 'R1', x: 352, y: 232, width: 64, height: 24, colour: RESISTOR },
  { name: 'R2', x: 352, y: 288, width: 64, height: 24, colour: RESISTOR },
  { name: 'R3', x: 352, y: 344, width: 64, height: 24, colour: RESISTOR },
  { name: 'U3', x: 480, y: 264, width: 80, height: 96, colour: CHIP },
];

/**
 * A drawing of a circuit board, with the noise a camera adds (±6 levels, from a seed), optionally without one part:
 * its pads are then bare.
 */
export function drawBoard(options: { seed: number; without?: string }): Picture {
  const board = blank(640, 480, BOARD);
  for (let y = 40; y < 460; y += 56) fill(board, { x: 32, y, width: 576, height: 4 }, TRACE);
  for (const part of PARTS) {
    const pads = { x: part.x - 8, width: 12, height: part.height - 8, y: part.y + 4 };
    fill(board, pads, PAD);
    fill(board, { ...pads, x: part.x + part.width - 4 }, PAD);
    if (part.name !== options.without) fill(board, part, part.colour);
  }
  addNoise(board, options.seed);
  return board;
}

function addNoise(picture: Picture, seed: number): void {
  let state = seed >>> 0;
  for (let i = 0; i < picture.data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes' generator: noise needs no better
    picture.data[i] = Math.max(0, Math.min(255, (picture.data[i] ?? 0) + ((state >>> 24) % 13) - 6));
  }
}
