import type { PictureDecoder } from '../../frames/decoding/picture-decoder.js';
import type { ImageInput } from '../../frames/types.js';
import { pixelsOf } from '../../frames/pixels-of.js';
import type { OperationOptions } from '../../abort.js';
import type { ResultData } from '../../worker/types.js';
import { canvasOf, outline, type Canvas } from './canvas.js';
import { write } from './letters.js';
import { encodePng } from './png.js';

const GREEN = [40, 150, 70] as const;
const RED = [220, 40, 40] as const;
const AMBER = [190, 120, 0] as const;

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

/** Draws the boxes, the verdict as a word, and a frame of the verdict's colour. `scale`: of the canvas to the picture. */
function annotate(canvas: Canvas, { status, data }: DrawnResult, scale: number): void {
  const { width, height } = canvas;
  const verdict = status === 'ERROR' ? 'ERROR' : (data.result_status ?? '?');
  const colour = verdict === 'OK' ? GREEN : verdict === 'NG' ? RED : AMBER;
  const thick = Math.max(1, Math.round(Math.min(width, height) / 80));
  outline(
    canvas,
    { x: thick, y: thick, width: width - 2 * thick, height: height - 2 * thick },
    colour,
    thick,
  );
  for (const { x, y, width: columns, height: rows } of data.defect_rects ?? []) {
    const box = { x: x * scale, y: y * scale, width: columns * scale, height: rows * scale };
    outline(canvas, box, RED, Math.max(1, Math.round(thick / 2)));
  }
  write(
    canvas,
    verdict,
    { x: 2 * thick, y: 2 * thick },
    colour,
    Math.max(1, Math.round(Math.min(width, height) / 120)),
  );
}
