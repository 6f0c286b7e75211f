import type { FrameInfo, ImageRegion } from '../types.js';
import type { FormatFacts, ToEightBits } from './formats.js';

/** Pixels in memory, checked. Coordinates are those of the picture as it is seen, its first row on top. */
export interface PixelSource {
  bytes: Uint8Array;
  format: FormatFacts;
  /** Of the whole picture. */
  width: number;
  /** Of the whole picture. */
  height: number;
  /** Where its first row begins. */
  origin: number;
  /** From one row to the next; below 0 where the last row lies first. */
  step: number;
  /** The part that is wanted. */
  region: ImageRegion;
  toEightBits: ToEightBits;
  /** Of a value in the frame: 16 leaves values of more than 8 bits as they are. */
  depth: 8 | 16;
}

/** What a caller says of pixels, checked. */
export interface Layout {
  /** As it was said, defaults filled in. */
  info: FrameInfo;
  /** Of the frame that goes to a worker. */
  frame: FrameInfo;
  format: FormatFacts;
  strideBytes: number;
  region: ImageRegion;
  /** Of a value in the frame. */
  depth: 8 | 16;
}
