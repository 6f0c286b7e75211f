import { types } from 'node:util';
import { describe } from '../options.js';
import { checkEncoded } from './encoded-input.js';
import { formatOf } from './encoded/header.js';
import { invalidImage } from './image-meta.js';
import { layoutOf, sourceOf } from './pixels/layout.js';
import type { ImageInput } from './types.js';

/**
 * Checks that an image is given in one of the ways.
 *
 * @throws RunnerError `invalid_image`
 */
export function checkWay(image: ImageInput): void {
  const given: unknown = image;
  const isBare = given instanceof Blob || given instanceof Promise || types.isAnyArrayBuffer(given);
  if (
    typeof given !== 'object' ||
    given === null ||
    ArrayBuffer.isView(given) ||
    Array.isArray(given) ||
    isBare
  ) {
    throw invalidImage(
      `it must be { data, width, height, pixelFormat }, { encoded }, { file } or a frame, not ${describe(given)}${hintFor(given)}`,
      'image',
    );
  }
  if ('pixels' in given) return;
  const ways = ['data', 'encoded', 'file'].filter(
    (way) => (given as Partial<Record<string, unknown>>)[way] !== undefined,
  );
  if (ways.length > 1) throw invalidImage(`it has ${ways.join(' and ')}: give one of them`, 'image');
  if (ways.length > 0) return;
  throw invalidImage(
    `it must have data, encoded or file, or be a frame, and has ${Object.keys(image).join(', ') || 'nothing'}`,
    'image',
  );
}

/**
 * Checks an image as far as it can be without reading a file.
 *
 * @throws RunnerError `invalid_image`, `unsupported_color_space`
 */
export function checkImage(image: ImageInput): void {
  checkWay(image);
  if ('pixels' in image) return;
  if ('encoded' in image || 'file' in image) checkEncoded(image);
  else sourceOf(image.data, layoutOf(image));
}

/** What was meant by something that stands alone. */
function hintFor(given: unknown): string {
  if (typeof given === 'string') return ': a path goes into { file }';
  if (given instanceof Blob) return ': a Blob goes into { encoded }';
  if (!ArrayBuffer.isView(given)) return '';
  const format = formatOf(new Uint8Array(given.buffer, given.byteOffset, given.byteLength));
  return format === undefined
    ? ': pixels go into { data, width, height, pixelFormat }'
    : `: it is a ${format}, which goes into { encoded }`;
}
