import { readFileSync } from 'node:fs';
import { assetPath } from '../../assets.js';
import { RunnerError } from '../../errors.js';

/** The functions of kernels.as. Addresses are places in {@link Kernels.memory}. */
interface Functions {
  narrow: (from: number, to: number, count: number, shift: number) => number;
  look: (from: number, to: number, count: number, table: number) => number;
  used: (from: number, count: number) => number;
  narrow10p: (from: number, to: number, count: number) => void;
  narrow12p: (from: number, to: number, count: number) => void;
  unpack10p: (from: number, to: number, count: number) => void;
  unpack12p: (from: number, to: number, count: number) => void;
  rgba: (from: number, to: number, count: number) => void;
  bgra: (from: number, to: number, count: number) => void;
  yuv: (from: number, to: number, count: number) => void;
  demosaic: (row: number, pitch: number, to: number, width: number, green: number, red: number) => void;
}

/** The inner loops, and the memory that they work in: a few rows at a time pass through it, within the cache. */
export interface Kernels extends Functions {
  memory: Uint8Array;
}

/** The engine's own, which the types of Node do not have. */
interface Engine {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: Functions & { memory: { buffer: ArrayBuffer } } };
}

/** Rows as they come; of 16 bits, a row of the widest picture has 131,070 bytes. */
export const RAW = 64;
/** Rows of one byte a pixel, of which three of the widest picture must have room. */
export const STRIP = 0x4_0000;
export const STRIP_BYTES = 0x4_0000 - 128;
/** What has been converted. */
export const OUT = 0x8_0000;
export const OUT_BYTES = 0x8_0000 - 128;
/** 65,536 bytes: what each number of 16 bits becomes. */
export const TABLE = 0x10_0000;
/**
 * Bytes of input that are taken at once, as many as have room before STRIP: with what becomes of them they fit the second cache.
 * Each portion makes two views and a call, so that fewer of them take less time.
 */
export const PORTION_BYTES = STRIP - 128;
/** The same for a mosaic, which needs room for its rows, and for three times as much that becomes of them. */
export const MOSAIC_PORTION_BYTES = 0x1_0000;

let loaded: Kernels | undefined;

/**
 * Compiled when first asked for.
 *
 * @throws RunnerError `unsupported_image` where the machine has no WebAssembly with vectors of 128 bits
 */
export function kernels(): Kernels {
  return (loaded ??= load());
}

function load(): Kernels {
  const { WebAssembly } = globalThis as unknown as { WebAssembly?: Engine };
  try {
    if (!WebAssembly) throw new Error('this Node runs without WebAssembly');
    const module = new WebAssembly.Module(readFileSync(assetPath('frames/pixels/kernels.wasm')));
    const { memory, ...functions } = new WebAssembly.Instance(module).exports;
    return { ...functions, memory: new Uint8Array(memory.buffer) };
  } catch (cause) {
    throw new RunnerError(
      'unsupported_image',
      `Pixels of this format cannot be converted here: ${(cause as Error).message}. It takes WebAssembly with SIMD (on x64 ` +
        'a processor with SSE4.1). Mono8, RGB8 and BGR8 are taken everywhere',
      { cause },
    );
  }
}
