import { demosaic } from './demosaic.js';
import { excessBits } from './excess-bits.js';
import { kernels, OUT, PORTION_BYTES, RAW, STRIP, STRIP_BYTES, type Kernels } from './kernels.js';
import { narrowing, type Step } from './narrowing.js';
import type { PixelSource } from './source.js';

/**
 * Writes the pixels of a source into a frame: each is read once and written once, by way of memory that stays in the cache.
 *
 * @throws RunnerError `invalid_image` for values that have more bits than their format, `unsupported_image`
 */
export function convertInto(target: Uint8Array, source: PixelSource): void {
  const { kind } = source.format;
  if (kind === 'copy') copyRows(target, source);
  else if (source.depth === 16) convertRows(target, source, asTheyAre);
  else if (kind === 'bayer') demosaic(target, source);
  else convertRows(target, source, eightBits);
}

function copyRows(target: Uint8Array, { bytes, format, origin, step, region }: PixelSource): void {
  const size = format.pixelBits / 8;
  const length = region.width * size;
  const first = origin + region.y * step + region.x * size;
  if (step === length) {
    target.set(bytes.subarray(first, first + length * region.height));
    return;
  }
  for (let row = 0; row < region.height; row++) {
    const at = first + row * step;
    target.set(bytes.subarray(at, at + length), row * length);
  }
}

/** Formats of which a row needs no other row. */
function convertRows(
  target: Uint8Array,
  source: PixelSource,
  stepOf: (tools: Kernels, source: PixelSource) => Step,
): void {
  const { bytes, format, origin, step, region } = source;
  const tools = kernels();
  const convert = stepOf(tools, source);
  const { pixelBits, group } = format;
  const outBytes = format.channels * (source.depth / 8);
  // Packed values pass through STRIP as two bytes each.
  const most = Math.floor(Math.min((PORTION_BYTES * 8) / pixelBits, STRIP_BYTES / 2) / 16) * 16;
  // A region may begin within a group: the pixels before it are converted too, and left.
  const lead = region.x % group;
  const isOneRun = lead === 0 && step * 8 === region.width * pixelBits;
  const [runs, length] = isOneRun ? [1, region.width * region.height] : [region.height, region.width];
  let used = 0;
  for (let run = 0; run < runs; run++) {
    const start = origin + (region.y + run) * step + ((region.x - lead) * pixelBits) / 8;
    const end = lead + length;
    for (let from = 0; from < end; from += most) {
      const count = Math.min(most, end - from);
      const at = start + (from * pixelBits) / 8;
      const whole = Math.ceil(count / group) * group;
      tools.memory.set(bytes.subarray(at, at + Math.ceil((whole * pixelBits) / 8)), RAW);
      used |= convert(RAW, OUT, count);
      const skipped = from === 0 ? lead : 0;
      target.set(
        tools.memory.subarray(OUT + skipped * outBytes, OUT + count * outBytes),
        (run * length + from - lead + skipped) * outBytes,
      );
    }
  }
  if (used >> format.bits) throw excessBits(format, used);
}

/** Values of 16 bits, unpacked where they are packed. */
function asTheyAre(tools: Kernels, { format }: PixelSource): Step {
  if (format.kind === 'packed') return nothingSeen(format.bits === 10 ? tools.unpack10p : tools.unpack12p);
  return (from, to, count) => {
    tools.memory.copyWithin(to, from, from + 2 * count);
    return tools.used(from, count);
  };
}

/** The kernel for a format. What it gives is the OR of all values, where that can show a mistake. */
function eightBits(tools: Kernels, source: PixelSource): Step {
  const { format } = source;
  const { kind, bits } = format;
  if (kind === 'wide') return narrowing(tools, source);
  if (kind !== 'packed') return nothingSeen(tools[kind as 'rgba' | 'bgra' | 'yuv']);
  if (source.toEightBits === 'shift') return nothingSeen(bits === 10 ? tools.narrow10p : tools.narrow12p);
  const unpack = bits === 10 ? tools.unpack10p : tools.unpack12p;
  const narrow = narrowing(tools, source);
  return (from, to, count) => {
    unpack(from, STRIP, count);
    return narrow(STRIP, to, count);
  };
}

function nothingSeen(kernel: (from: number, to: number, count: number) => void): Step {
  return (from, to, count) => {
    kernel(from, to, count);
    return 0;
  };
}
