import type { PictureDecoder } from '../../frames/decoding/picture-decoder.js';
import type { ImageInput } from '../../frames/types.js';
import { pixelsOf } from '../../frames/pixels-of.js';
import type { OperationOptions } from '../../abort.js';
import type { ResultData } from '../../worker/types.js';
import { canvasOf, fill, type Canvas } from './canvas.js';
import { plateSize, write } from './letters.js';
import { marksOf } from './marks.mjs';
import { encodePng } from './png.js';

/** The part of a result that is drawn. */
export interface DrawnResult {
  /** With `ERROR` that word is the verdict. */
  status: 'OK' | 'ERROR';
  /** Verdict and boxes. */
  data: ResultData;
}

/** The picture with its boxes and its verdict, as a PNG. @throws RunnerError as `pixelsOf` */
export async function drawResult(
  image: ImageInput,
  result: DrawnResult,
  { maxSide = Infinity, ...o }: { maxSide?: number; decoder?: PictureDecoder } & OperationOptions = {},
): Promise<Buffer> {
  const frame = await pixelsOf(image, o);
  const canvas = canvasOf(frame, maxSide);
  annotate(canvas, result, canvas.width / frame.width);
  return encodePng(canvas);
}

/** Draws the boxes with their labels, the verdict as a word, and a frame of its colour. `scale`: of the canvas to the picture. */
function annotate(canvas: Canvas, result: DrawnResult, scale: number): void {
  const { width, height } = canvas;
  const { fills, plates } = marksOf({ width, height, scale, result, measure: plateSize });
  for (const { colour, ...place } of fills) fill(canvas, place, colour);
  for (const plate of plates) write(canvas, plate);
}
