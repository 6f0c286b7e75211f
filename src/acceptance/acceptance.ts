import { throwIfAborted } from '../abort.js';
import { checkStrings } from '../arguments.js';
import { checkImage } from '../frames/check-image.js';
import { checkToEightBits } from '../frames/pixels/layout.js';
import type { ImageInput } from '../frames/types.js';
import type { RunnerParts } from '../runner/types.js';
import type { InspectionResult } from '../supervisor/types.js';
import { resolveSequentialTest } from '../supervisor/switching/sequential-test.js';
import { doors } from './options.js';
import type { AcceptanceOptions, AcceptanceReport, AnnotateOptions } from './types.js';

/**
 * Inspects labelled pictures with a version, and decides by a sequential test whether its share of wrong verdicts is
 * acceptable.
 *
 * The pictures lie in the subfolders `OK` and `NG` of `folder` (folders below them count too), or `folder` is a CSV file with the
 * columns `file` (relative to the list) and `verdict` (OK or NG). JPEG, PNG, BMP, TIFF and WebP are taken, by their endings.
 * A guide picture that is named by its path is read by the same rules (`orientation`, `toEightBits`, `decode`).
 * They are inspected one after the other, in a random order that the seed fixes: the test takes no trials that follow their label.
 * Any other verdict than the label is wrong, and so is an ERROR, an answer without a verdict, a timeout or a crash.
 *
 * The test is Wald's, with each error bounded by itself: a version that is wrong in `acceptableRate` of the pictures is
 * rejected with a probability of `alpha` at most, and a version that is wrong in `rejectableRate` accepted with a
 * probability of `beta` at most. With the defaults (0.01, 0.1, 0.05, 0.05) 32 right verdicts accept, and 2 wrong ones within
 * the first 17 reject.
 *
 * @param folder - path of the folder or of the list
 * @throws RunnerError `invalid_params` for options, for a folder without pictures and for a list that cannot be read, before
 * anything is inspected; `not_found` for a version that is not deployed; `unsupported_image` where the package is to decode and has
 * no Pillow; and as `Runner.inspect` for what is no fault of the
 * version, such as `start_failed`, `pool_full` or `aborted`
 */
export async function acceptance(
  runner: RunnerParts,
  folder: string,
  o: AcceptanceOptions,
): Promise<AcceptanceReport> {
  checkStrings('acceptance(runner, folder, { target })', { folder });
  doors().acceptance.check(o);
  if (o.toEightBits !== undefined) checkToEightBits(o.toEightBits);
  const test = resolveSequentialTest(o, doors().acceptance.call);
  throwIfAborted(o.signal, 'acceptance');
  const { runAcceptance } = await import('./run-acceptance.js');
  return runAcceptance(runner, folder, o, test);
}

/**
 * The picture with the boxes of a result, its verdict as a word, and a frame of the verdict's colour.
 *
 * @param picture - an image, or the path of a picture in a file format
 * @returns a PNG of 8 bits a channel
 * @throws RunnerError `invalid_params`, `invalid_image`, `unsupported_image`, `aborted`
 */
export async function annotatedPicture(
  picture: ImageInput | string,
  result: Pick<InspectionResult, 'status' | 'data'>,
  o: AnnotateOptions = {},
): Promise<Uint8Array> {
  doors().annotate.check(o);
  const image = typeof picture === 'string' ? { file: picture } : picture;
  checkImage(image);
  const { drawResult } = await import('./drawing/annotate.js');
  return drawResult(image, result, o);
}
