import { types } from 'node:util';
import { describe } from '../options.js';
import { checkEncoded } from './encoded-input.js';
import { invalidImage } from './image-meta.js';
import { layoutOf, sourceOf } from './pixels/layout.js';
import type { ImageInput } from './types.js';

/**
 * Checks an image as far as it can be without reading a file.
 *
 * @throws RunnerError `invalid_image`, `unsupported_color_space`
 */
export function checkImage(image: ImageInput): void {
  if (typeof image !== 'object' || (image as unknown) === null || types.isTypedArray(image)) {
    throw invalidImage(
      `it must be { data, width, height, pixelFormat }, { encoded }, { file } or a frame, not ${describe(image)}`,
      'image',
    );
  }
  if ('pixels' in image) return;
  if ('encoded' in image || 'file' in image) checkEncoded(image);
  else if ('data' in image) sourceOf(image.data, layoutOf(image));
  else {
    throw invalidImage(
      `it must have data, encoded or file, or be a frame, and has ${Object.keys(image).join(', ') || 'nothing'}`,
      'image',
    );
  }
}
