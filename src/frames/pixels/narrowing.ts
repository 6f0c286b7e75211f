import { TABLE, type Kernels } from './kernels.js';
import type { PixelSource } from './source.js';

/** Converts pixels within the memory of the kernels, and gives the OR of their values where that can show a mistake. */
export type Step = (from: number, to: number, count: number) => number;

/** Values of 16 bits to 8. */
export function narrowing(tools: Kernels, { format, toEightBits }: PixelSource): Step {
  if (toEightBits === 'shift') {
    const shift = format.bits - 8;
    return (from, to, count) => tools.narrow(from, to, count, shift);
  }
  const { min, max } = toEightBits;
  for (let value = 0; value < 0x1_0000; value++) {
    const within = Math.min(Math.max(value, min), max) - min;
    tools.memory[TABLE + value] = Math.floor((within * 255) / (max - min) + 0.5);
  }
  return (from, to, count) => tools.look(from, to, count, TABLE);
}
