import { types } from 'node:util';
import { describe, nearest } from '../../options.js';
import { checkMeta, invalidImage } from '../image-meta.js';
import type { FrameMeta, ImageRegion } from '../types.js';
import { formats, isTaken, isWideGray, rowBytesOf, type FormatFacts, type ToEightBits } from './formats.js';
import { callOfSharp, shown, sizeMismatch } from './size-mismatch.js';
import type { Layout, PixelSource } from './source.js';

/** Names of cameras' drivers that are not those of PFNC, and what is to be done. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  Mono10Packed: "that is GigE Vision's own packing: set the camera to Mono10p or Mono10",
  Mono12Packed: "that is GigE Vision's own packing: set the camera to Mono12p or Mono12",
  YUV422Packed: 'that is Y1 behind U: set the camera to YUV422_8, which is YUYV',
  YUV422_8_UYVY: 'set the camera to YUV422_8, which is YUYV',
};

/**
 * Checks what a caller says of pixels, and fills in the defaults.
 *
 * @param imageFormats - formats that the version takes with more than 8 bits; undefined where it is not known yet
 * @throws RunnerError `invalid_image`, `unsupported_color_space`
 */
export function layoutOf(meta: FrameMeta, imageFormats?: readonly string[]): Layout {
  const { cameraId = 'camera', timestampMs = Date.now(), strideBytes, bottomUp, toEightBits } = meta;
  checkSizeGiven(meta);
  checkMeta(meta);
  const format = formatOf(meta);
  const { width, height } = meta;
  const { channels } = format;
  const colorSpace = channels === 1 ? (meta.colorSpace ?? 'RGB') : format.colorSpace;
  const common = { channels, colorSpace, cameraId, timestampMs };
  checkFlag(bottomUp);
  checkSizeFor(format, width, height);
  const depth = depthOf(format, toEightBits, imageFormats);
  const region = regionIn(meta);
  return {
    info: {
      width,
      height,
      ...common,
      ...(meta.pixelFormat !== undefined && { pixelFormat: format.name }),
      ...(strideBytes !== undefined && { strideBytes }),
      ...(meta.region !== undefined && { region }),
      ...(bottomUp !== undefined && { bottomUp }),
      ...(toEightBits !== undefined && { toEightBits }),
    },
    frame: { width: region.width, height: region.height, ...common },
    ...{ format, region, depth, strideBytes: strideFor(format, meta) },
  };
}

/** Bytes that a picture of this layout takes, each row with its padding. */
export function bytesOfLayout({ strideBytes, info }: Layout): number {
  return strideBytes * info.height;
}

/** Whether the pixels are those of the frame as they are. */
export function isPlain({ format, info, strideBytes, region, depth }: Layout): boolean {
  const isWhole = region.width === info.width && region.height === info.height;
  const isPacked = strideBytes === rowBytesOf(format, info.width);
  return isCopied(format, depth) && isWhole && isPacked && info.bottomUp !== true;
}

/** Whether the bytes are those of the frame as they are. */
export function isPlainSource({ format, width, height, region, step, depth }: PixelSource): boolean {
  const isWhole = region.width === width && region.height === height;
  return isCopied(format, depth) && isWhole && step === rowBytesOf(format, width);
}

/** Whether a value is in the frame as it is in memory, and none can be wrong. */
function isCopied({ kind, bits }: FormatFacts, depth: 8 | 16): boolean {
  return kind === 'copy' || (kind === 'wide' && bits === 16 && depth === 16);
}

/**
 * The pixels of this layout.
 *
 * @throws RunnerError `invalid_image` for a view of another length, or of other numbers
 */
export function sourceOf(data: unknown, layout: Layout): PixelSource {
  const { info, format, strideBytes, region, depth } = layout;
  const { width, height, bottomUp = false, toEightBits = 'shift' } = info;
  const bytes = bytesOf(data);
  const rowBytes = rowBytesOf(format, width);
  const least = strideBytes * (height - 1) + rowBytes;
  const fits = bytes?.length === least || bytes?.length === strideBytes * height;
  if (!bytes || !fits || !isNumberOf(data, format)) throw sizeMismatch(data, bytes?.length, layout);
  return {
    ...{ bytes, format, width, height, region, toEightBits, depth },
    origin: bottomUp ? strideBytes * (height - 1) : 0,
    step: bottomUp ? -strideBytes : strideBytes,
  };
}

function bytesOf(data: unknown): Uint8Array | undefined {
  if (types.isUint8Array(data)) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return types.isAnyArrayBuffer(data) ? new Uint8Array(data) : undefined;
}

/** Numbers of another size than the format's are another picture, even where their bytes are as many. */
function isNumberOf(data: unknown, { pixelBits, bits }: FormatFacts): boolean {
  if (types.isFloat32Array(data) || types.isFloat64Array(data)) return false;
  const { BYTES_PER_ELEMENT: size = 1 } = data as { BYTES_PER_ELEMENT?: number };
  if (size === 2) return pixelBits === 16 && bits > 8;
  return size === 1 || (size === 4 && pixelBits === 32);
}

/** A format by its name. @throws RunnerError `invalid_image` for a name that is not known, with what may be meant */
export function formatNamed(name: unknown): FormatFacts {
  const format = formats().get(name as string);
  if (!format) throw unknownFormat(name);
  return format;
}

function formatOf({ pixelFormat, channels, colorSpace }: FrameMeta): FormatFacts {
  const plain = channels === 1 ? 'Mono8' : colorSpace === 'BGR' ? 'BGR8' : 'RGB8';
  const format = formatNamed(pixelFormat ?? plain);
  if (pixelFormat === undefined) return format;
  if (channels !== undefined && channels !== format.channels) {
    throw invalidImage(
      `${pixelFormat} gives ${format.channels} channel${format.channels === 1 ? '' : 's'}, and channels says ${channels}: leave channels out`,
      'channels',
    );
  }
  if (colorSpace !== undefined && format.channels === 3 && colorSpace !== format.colorSpace) {
    throw invalidImage(
      `${pixelFormat} gives ${format.colorSpace}, and colorSpace says ${colorSpace}: leave colorSpace out`,
      'colorSpace',
    );
  }
  return format;
}

function unknownFormat(given: unknown) {
  const name = typeof given === 'string' ? given : undefined;
  const known = [...formats().keys()];
  const near = name === undefined ? undefined : nearest(name, known);
  const remedy =
    (name === undefined ? undefined : OTHER_NAMES[name]) ??
    (near === undefined ? `known are ${known.join(', ')}` : `did you mean ${near}?`);
  return invalidImage(`pixelFormat ${describe(given)} is not known: ${remedy}`, 'pixelFormat');
}

function checkSizeGiven(meta: Partial<FrameMeta> & { info?: unknown }): void {
  if (meta.width !== undefined && meta.height !== undefined) return;
  const call = callOfSharp(meta);
  if (call !== undefined) {
    throw invalidImage(`this is what sharp gives, { data, info }: hand over ${call}`, 'info');
  }
  const { shape, rows, cols } = meta as { shape?: unknown; rows?: unknown; cols?: unknown };
  const hint =
    shape !== undefined
      ? ': of a shape they are the second and the first number'
      : rows !== undefined || cols !== undefined
        ? ': cols are the width, rows the height'
        : '';
  throw invalidImage(`width and height must be given with data, in pixels${hint}`, 'width');
}

function checkSizeFor({ name, kind }: FormatFacts, width: number, height: number): void {
  if (kind === 'yuv' && width % 2 === 1) {
    throw invalidImage(`${name} has its pixels in pairs, and a width of ${width} is odd`, 'width');
  }
  if (kind === 'bayer' && (width < 3 || height < 3)) {
    throw invalidImage(
      `${name} needs neighbours to take colours from: 3 x 3 pixels at least, not ${width} x ${height}`,
      width < 3 ? 'width' : 'height',
    );
  }
}

/** Of a value in the frame. Without a rule, and where it is not known yet who takes the picture, values stay as they are. */
function depthOf(
  format: FormatFacts,
  rule: ToEightBits | undefined,
  imageFormats: readonly string[] | undefined,
): 8 | 16 {
  const { name, bits } = format;
  if (rule !== undefined) checkToEightBits(rule);
  if (bits === 8) return 8;
  if (imageFormats && isTaken(format, imageFormats)) return 16;
  if (rule !== undefined) return 8;
  if (!imageFormats && isWideGray(format)) return 16;
  throw invalidImage(
    `${name} has values of ${bits} bits, and ${takerOf(format, imageFormats)} gets 8: say toEightBits: 'shift' (the lowest ${bits - 8} are dropped) ` +
      `or toEightBits: { min, max } (those values become 0 and 255)`,
    'toEightBits',
  );
}

function takerOf(format: FormatFacts, imageFormats: readonly string[] | undefined): string {
  if (!imageFormats || !isWideGray(format)) return 'an algorithm';
  const names = format.name === 'Mono16' ? 'Mono16' : `${format.name} or Mono16`;
  return `an algorithm that does not run under the bundled worker with ${names} in image_formats of its manifest`;
}

/** @throws RunnerError `invalid_image` */
export function checkToEightBits(rule: unknown): void {
  if (rule === 'shift') return;
  const { min, max } = (typeof rule === 'object' && rule !== null ? rule : {}) as Record<string, unknown>;
  if (isValue(min) && isValue(max) && min < max) return;
  const given =
    rule !== null && typeof rule === 'object'
      ? `{ min: ${describe(min)}, max: ${describe(max)} }`
      : describe(rule);
  throw invalidImage(
    `toEightBits must be 'shift' or { min, max } with 0 <= min < max <= 65535, not ${given}`,
    'toEightBits',
  );
}

function isValue(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 65_535;
}

function checkFlag(bottomUp: unknown): void {
  if (bottomUp === undefined || typeof bottomUp === 'boolean') return;
  throw invalidImage(`bottomUp must be true or false, not ${describe(bottomUp)}`, 'bottomUp');
}

function regionIn({ width, height, region }: FrameMeta): ImageRegion {
  if (region === undefined) return { x: 0, y: 0, width, height };
  const { x, y, width: columns, height: rows } = region;
  const isWhole = [x, y, columns, rows].every((value) => Number.isInteger(value));
  if (
    isWhole &&
    x >= 0 &&
    y >= 0 &&
    columns >= 1 &&
    rows >= 1 &&
    x + columns <= width &&
    y + rows <= height
  ) {
    return { x, y, width: columns, height: rows };
  }
  const given = [x, y, columns, rows].map((value) => describe(value)).join(', ');
  throw invalidImage(
    `region must be whole pixels within the ${width} x ${height} of the picture, not x, y, width, height of ${given}`,
    'region',
  );
}

function strideFor(format: FormatFacts, { width, height, strideBytes }: FrameMeta): number {
  const rowBytes = rowBytesOf(format, width);
  if (strideBytes === undefined) {
    if (height === 1 || (width * format.pixelBits) % 8 === 0) return rowBytes;
    throw invalidImage(
      `a row of ${width} pixels of ${format.name} ends within a byte: say with strideBytes where the next one begins ` +
        `(strideBytes: ${rowBytes} when at the next whole byte)`,
      'strideBytes',
    );
  }
  if (Number.isInteger(strideBytes) && strideBytes >= rowBytes) return strideBytes;
  throw invalidImage(
    `strideBytes must be whole and at least the ${shown(rowBytes)} bytes of a row of ${width} pixels of ${format.name}, not ${describe(strideBytes)}`,
    'strideBytes',
  );
}
