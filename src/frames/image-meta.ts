import { types } from 'node:util';
import { RunnerError } from '../errors.js';
import type { FrameMeta, ImageMeta } from './types.js';

const LARGEST_SIDE = 65_535;

/** Checks what a caller says about an image and fills in the defaults. @throws RunnerError `invalid_image`, `unsupported_color_space` */
export function resolveMeta(meta: FrameMeta): Required<FrameMeta> {
  const {
    width,
    height,
    channels = 3,
    colorSpace = 'RGB',
    cameraId = 'camera',
    timestampMs = Date.now(),
  } = meta;
  for (const [name, value] of [
    ['width', width],
    ['height', height],
  ] as const) {
    if (!Number.isInteger(value) || value < 1 || value > LARGEST_SIDE) {
      throw invalidImage(
        `${name} must be a whole number from 1 to ${LARGEST_SIDE}, not ${String(value)}`,
        name,
      );
    }
  }
  if (![1, 3].includes(channels))
    throw invalidImage(`channels must be 1 or 3, not ${String(channels)}`, 'channels');
  if (!['RGB', 'BGR'].includes(colorSpace)) {
    throw new RunnerError(
      'unsupported_color_space',
      `The image cannot be used: colorSpace must be RGB or BGR, not ${colorSpace}. Convert it, or send a JPEG or PNG as encoded`,
      { details: { path: 'colorSpace' } },
    );
  }
  if (typeof cameraId !== 'string') throw invalidImage('cameraId must be a string', 'cameraId');
  if (!Number.isFinite(timestampMs)) {
    throw invalidImage(
      `timestampMs must be a Unix time in milliseconds, not ${String(timestampMs)}`,
      'timestampMs',
    );
  }
  return { width, height, channels, colorSpace, cameraId, timestampMs };
}

/** Refuses pixels that are not as many bytes as their shape asks for. @throws RunnerError `invalid_image` */
export function checkPixels(data: Uint8Array, { width, height, channels }: Required<FrameMeta>): void {
  // Numbers of two or four bytes would be cut down to one each: another image, and fewer pixels than it has.
  if (!types.isUint8Array(data) && !types.isUint8ClampedArray(data)) {
    throw invalidImage('data must be a Uint8Array, one byte for each channel of a pixel', 'data');
  }
  const expected = width * height * channels;
  if (data.byteLength === expected) return;
  const shape = `an image of ${width} x ${height} with ${channels} channel${channels === 1 ? '' : 's'}`;
  const hint = hintFor(data.byteLength / (width * height));
  throw invalidImage(
    `${shape} has ${expected} bytes, but data has ${data.byteLength}${hint === undefined ? '' : `: ${hint}`}`,
    'data',
  );
}

/** What an image with so many bytes for each pixel most likely is. */
function hintFor(bytesPerPixel: number): string | undefined {
  if (bytesPerPixel === 1) return 'that is one byte a pixel: for a grey image say channels: 1';
  if (bytesPerPixel === 2) return 'that is two bytes a pixel, as of 16 bit or YUV: convert it to 8 bit RGB';
  if (bytesPerPixel === 3) return 'that is three bytes a pixel: leave channels out, or say channels: 3';
  if (bytesPerPixel === 4) return 'that is four bytes a pixel, as of RGBA: leave out the fourth';
  return undefined;
}

/** The image as the protocol describes it to a worker. */
export function wireMeta(meta: Required<FrameMeta>): ImageMeta {
  return {
    width: meta.width,
    height: meta.height,
    timestamp_ms: meta.timestampMs,
    camera_id: meta.cameraId,
    color_space: meta.colorSpace,
  };
}

/** An image that cannot be used, and the field that says so. */
export function invalidImage(message: string, path: string): RunnerError {
  return new RunnerError('invalid_image', `The image cannot be used: ${message}`, { details: { path } });
}
