import { types } from 'node:util';
import { describe } from '../../options.js';
import { invalidImage } from '../image-meta.js';
import { formatOf } from '../encoded/header.js';
import { formats, rowBytesOf } from './formats.js';
import type { Layout } from './source.js';

/** Formats that are asked for first, in the order in which they are likely. */
const LIKELY = ['Mono8', 'RGB8', 'BGR8', 'RGBa8', 'BGRa8', 'Mono16', 'YUV422_8', 'Mono12p', 'Mono10p'];
/** Padding of a row that is taken for such, at most; in another format than the caller's a quarter of the row. */
const MOST_PADDING = 512;

/** A number with its thousands apart. */
export function shown(value: number): string {
  return value.toLocaleString('en-US');
}

/** The refusal of data that do not fit their layout: what was given, what was expected, and what would fit. Never their content. */
export function sizeMismatch(data: unknown, bytes: number | undefined, layout: Layout) {
  const { format, info, strideBytes } = layout;
  const { width, height } = info;
  if (bytes === undefined) return invalidImage(noView(data), 'data');
  const rowBytes = rowBytesOf(format, width);
  const padded = strideBytes === rowBytes ? '' : `, rows of ${shown(strideBytes)} bytes`;
  const expected = `${width} x ${height} of ${format.name}${padded} has ${shown(strideBytes * height)} bytes`;
  const guess = guessOf(data, bytes, layout);
  return invalidImage(
    `${expected}, and data is ${nameOf(data)}${guess === undefined ? '' : `: ${guess}`}`,
    'data',
  );
}

/** `Uint16Array of 307,200`: elements; bytes where there are none. */
function nameOf(data: unknown): string {
  const { length, byteLength, constructor } = data as {
    length?: number;
    byteLength: number;
    constructor?: { name?: string };
  };
  const kind = constructor?.name ?? 'view';
  const named = `${/^[AEIO]/.test(kind) ? 'an' : 'a'} ${kind}`;
  return length === undefined ? `${named} of ${shown(byteLength)} bytes` : `${named} of ${shown(length)}`;
}

function noView(data: unknown): string {
  const rule = 'data must be an ArrayBufferView or an ArrayBuffer with the bytes of the pixels';
  const { data: inner, type } = (data ?? {}) as { data?: unknown; type?: unknown };
  if (ArrayBuffer.isView(inner)) {
    const call = callOfSharp(data) ?? 'its data, width and height';
    return `${rule}, not an object with such data in it, as sharp and a canvas give it: hand over ${call}`;
  }
  if (type === 'Buffer' && Array.isArray(inner)) {
    return `${rule}, not a Buffer as JSON has it: Buffer.from(data.data) makes one of it again`;
  }
  if (Array.isArray(data)) {
    const flat = Array.isArray(data[0]) ? 'Uint8Array.from(data.flat(Infinity))' : 'Uint8Array.from(data)';
    return `${rule}, not a list of ${shown(data.length)}: ${flat} makes one of it`;
  }
  if (typeof data === 'string') {
    return `${rule}, not a text of ${shown(data.length)} letters: Buffer.from(data, 'base64') makes them of base64; a path goes into { file }`;
  }
  const hint = data instanceof Blob ? ': a picture in a file format goes into { encoded }' : '';
  return `${rule}, not ${describe(data)}${hint}`;
}

/** How what sharp gives, `{ data, info }`, is handed over; undefined for something else. */
export function callOfSharp(given: unknown): string | undefined {
  const { info } = given as { info?: { width?: unknown; height?: unknown; channels?: unknown } };
  const { width, height, channels } = info ?? {};
  if (typeof width !== 'number' || typeof height !== 'number') return undefined;
  const format = { 1: 'Mono8', 3: 'RGB8', 4: 'RGBa8' }[Number(channels)] ?? '…';
  return `{ data, width: ${width}, height: ${height}, pixelFormat: '${format}' }`;
}

function guessOf(data: unknown, bytes: number, layout: Layout): string | undefined {
  const { width, height } = layout.info;
  if (types.isFloat32Array(data) || types.isFloat64Array(data)) {
    return 'numbers with a fraction have no rule here: bring them to 8 or 16 bits';
  }
  const { BYTES_PER_ELEMENT: element = 1 } = data as { BYTES_PER_ELEMENT?: number };
  const format = types.isUint8Array(data) ? formatOf(data) : undefined;
  if (format !== undefined)
    return `it begins as a ${format} does: a picture in a file format goes into { encoded }`;
  const own = rowBytesOf(layout.format, width) * height;
  if (bytes === own && layout.strideBytes !== rowBytesOf(layout.format, width) && element === 1) {
    return 'that is right for rows without padding: leave strideBytes out';
  }
  const possible = LIKELY.flatMap((name) => formats().get(name) ?? []).filter(
    ({ bits, pixelBits }) =>
      element === 1 || (element === 2 && bits === 16) || (element === 4 && pixelBits === 32),
  );
  const fitting = possible.filter((format) => rowBytesOf(format, width) * height === bytes);
  const [first, second] = fitting;
  if (first) {
    const rule = first.bits > 8 ? ', and a rule as toEightBits' : '';
    const other = second ? `, or '${second.name}'` : '';
    return `is this ${first.name} of ${width} x ${height}? then pixelFormat: '${first.name}'${other}${rule}`;
  }
  // Under the caller's own format first.
  for (const format of [layout.format, ...possible]) {
    const rowBytes = rowBytesOf(format, width);
    const stride = strideIn(bytes, {
      rowBytes,
      height,
      most: format === layout.format ? MOST_PADDING : rowBytes / 4,
    });
    if (stride === undefined) continue;
    const named = format === layout.format ? '' : ` and pixelFormat: '${format.name}'`;
    return `are these rows of ${shown(stride)} bytes, of which ${shown(rowBytes)} are pixels of ${format.name}? then strideBytes: ${stride}${named}`;
  }
  const { bits, pixelBits, kind } = layout.format;
  if (element > 1) {
    const size = bits > 8 && kind !== 'packed' ? 2 : 1;
    return `${layout.format.name} has numbers of ${size} byte${size === 1 ? '' : 's'}, as a Uint${8 * size}Array has`;
  }
  if (bytes < (pixelBits * width * height) / 8) return 'it is too short: was the picture read to its end?';
  if (bytes % own === 0) return `that is ${shown(bytes / own)} such pictures: hand over one at a time`;
  return `it is too long by ${shown(bytes - own)} bytes: are width and height those of this picture?`;
}

/** The row that would explain so many bytes, with or without padding after the last. */
function strideIn(bytes: number, o: { rowBytes: number; height: number; most: number }): number | undefined {
  const strides = [bytes / o.height, o.height > 1 ? (bytes - o.rowBytes) / (o.height - 1) : 0];
  return strides.find(
    (stride) => Number.isInteger(stride) && stride > o.rowBytes && stride <= o.rowBytes + o.most,
  );
}
