import { invalidImage } from '../image-meta.js';
import type { FormatFacts } from './formats.js';

/** Values that their format cannot have: white where there is none. `used` is the OR of all. */
export function excessBits({ name, bits }: FormatFacts, used: number) {
  const most = 2 ** bits - 1;
  const isLeft = (used & (2 ** (16 - bits) - 1)) === 0;
  const remedy = isLeft
    ? `they are in the upper ${bits} of 16 bits: say pixelFormat: '${name.replace(/\d+$/, '16')}'`
    : `which is that of ${32 - Math.clz32(used)} bits: name the format that the camera is set to`;
  return invalidImage(
    `${name} has values of 0 to ${most}, and data has larger ones, ${remedy}`,
    'pixelFormat',
  );
}
