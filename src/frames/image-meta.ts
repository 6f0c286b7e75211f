import { RunnerError } from '../errors.js';
import { describe } from '../options.js';
import type { FormatFacts } from './pixels/formats.js';
import type { FrameInfo, ImageMeta } from './types.js';

/** Pixels of a side, at most. */
export const LARGEST_SIDE = 65_535;

/** Fields that every kind of image has. @throws RunnerError `invalid_image`, `unsupported_color_space` */
export function checkMeta(meta: Partial<FrameInfo>): void {
  const { width, height, channels = 3, colorSpace = 'RGB', cameraId = '', timestampMs = 0 } = meta;
  checkSide('width', width);
  checkSide('height', height);
  if (![1, 3].includes(channels)) {
    const hint = (channels as number) === 4 ? ": four have a name, pixelFormat: 'RGBa8' or 'BGRa8'" : '';
    throw invalidImage(`channels must be 1 or 3, not ${describe(channels)}${hint}`, 'channels');
  }
  if (!['RGB', 'BGR'].includes(colorSpace)) {
    throw new RunnerError(
      'unsupported_color_space',
      `The image cannot be used: colorSpace must be RGB or BGR, not ${typeof colorSpace === 'string' ? colorSpace : describe(colorSpace)}. Other layouts have a name: ` +
        "pixelFormat: 'RGBa8' is what a canvas gives",
      { details: { path: 'colorSpace' } },
    );
  }
  if (typeof cameraId !== 'string') throw invalidImage('cameraId must be a string', 'cameraId');
  if (!Number.isFinite(timestampMs)) {
    throw invalidImage(
      `timestampMs must be a Unix time in milliseconds, not ${describe(timestampMs)}`,
      'timestampMs',
    );
  }
}

function checkSide(name: 'width' | 'height', value: unknown): void {
  if (value === undefined) return;
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= LARGEST_SIDE) return;
  throw invalidImage(
    `${name} must be a whole number from 1 to ${LARGEST_SIDE}, not ${describe(value)}`,
    name,
  );
}

/** The image as the protocol describes it to a worker. */
export function wireMeta(meta: FrameInfo, wide: FormatFacts | undefined): ImageMeta {
  const { height, width } = meta;
  const wire: ImageMeta = {
    width,
    height,
    timestamp_ms: meta.timestampMs,
    camera_id: meta.cameraId,
    color_space: meta.colorSpace,
  };
  if (!wide) return wire;
  return { ...wire, dtype: 'uint16', shape: [height, width], pixel_format: wide.name, bits: wide.bits };
}

/** An image that cannot be used, and the field that says so. */
export function invalidImage(message: string, path: string): RunnerError {
  return new RunnerError('invalid_image', `The image cannot be used: ${message}`, { details: { path } });
}
