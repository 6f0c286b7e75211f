// @ts-check
/** Decodes a PNG (ISO/IEC 15948), and finds every damage that its checksums and its filters show. */
import { Buffer } from 'node:buffer';
import zlib from 'node:zlib';
import { Damage } from './damage.mjs';

/** Length (uint32 big-endian), type (4 bytes), data, CRC (uint32 big-endian). */
const CHUNK_BYTES = 12;
const SIGNATURE_BYTES = 8;
/** Of the header's data: the interlace method. */
const INTERLACE_AT = 12;
/** Adam7: first column, first row, columns apart, rows apart of each pass. */
const PASSES = /** @type {const} */ ([
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
]);

/** By colour type: samples of a pixel. */
const SAMPLES = new Map([
  [0, 1],
  [2, 3],
  [3, 1],
  [4, 2],
  [6, 4],
]);
const PALETTE = 3;

/** @typedef {'shift' | { min: number; max: number }} Rule */

/**
 * Values of fewer than 8 bits are spread over 0 to 255, those of 16 bits brought to 8 by the rule; a palette gives its
 * colours; alpha and a transparent colour are left out.
 *
 * @param {Uint8Array} image - a whole PNG file
 * @param {{ width: number; height: number; channels: number; depth: 8 | 16; toEightBits: Rule }} o - size and channels as its
 *   header says; with a depth of 16 each value is two bytes, the lower first
 * @returns {Uint8Array<ArrayBuffer>} height x width x channels values, row-major
 * @throws {Damage}
 */
export function decodePng(image, { width, height, channels: values, depth: wanted, toEightBits }) {
  const channels = values * (wanted / 8);
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
  const { data, depth, colourType, interlace, palette } = readChunks(bytes);
  if (interlace > 1) throw new Damage('has an interlace method that there is not');
  const samples = SAMPLES.get(colourType) ?? 1;
  const bits = samples * depth;
  const rowBytesOf = (/** @type {number} */ columns) => Math.ceil((columns * bits) / 8);
  const passes = (interlace === 1 ? PASSES : [/** @type {const} */ ([0, 0, 1, 1])])
    .map(([left, top, across, down]) => ({
      ...{ left, top, across, down },
      columns: Math.ceil((width - left) / across),
      rows: Math.ceil((height - top) / down),
    }))
    .filter(({ columns, rows }) => columns > 0 && rows > 0);
  const expected = passes.reduce((sum, { columns, rows }) => sum + rows * (1 + rowBytesOf(columns)), 0);
  const filtered = inflate(data, expected);
  const pixels = new Uint8Array(width * height * channels);
  const isPlain = depth === 8 && samples === channels && colourType !== PALETTE;
  const isWide = wanted === 16 && depth === 16;
  const valueAt = isPlain
    ? undefined
    : isWide
      ? bytesOfWide(samples)
      : reader({ depth, samples, palette, toEightBits });
  let at = 0;
  for (const { left, top, across, down, columns, rows } of passes) {
    const rowBytes = rowBytesOf(columns);
    unfilter(filtered, at, { rows, rowBytes, step: Math.max(1, bits / 8) });
    for (let row = 0; row < rows; row++, at += 1 + rowBytes) {
      const to = ((top + row * down) * width + left) * channels;
      const line = filtered.subarray(at + 1, at + 1 + rowBytes);
      if (isPlain && across === 1) {
        pixels.set(line, to);
        continue;
      }
      for (let column = 0; column < columns; column++) {
        for (let channel = 0; channel < channels; channel++) {
          const value = valueAt ? valueAt(line, column, channel) : line[column * channels + channel];
          pixels[to + column * across * channels + channel] = value ?? 0;
        }
      }
    }
  }
  return pixels;
}

/** Only looks whether every chunk is there, with its checksum. @param {Uint8Array} image @throws {Damage} */
export function checkChunks(image) {
  readChunks(Buffer.from(image.buffer, image.byteOffset, image.byteLength));
}

/**
 * Gives a channel of a pixel of a row, as 8 bits.
 * @param {{ depth: number; samples: number; palette: Buffer | undefined; toEightBits: Rule }} o
 * @returns {(line: Uint8Array, column: number, channel: number) => number}
 */
function reader({ depth, samples, palette, toEightBits }) {
  if (depth === 16) {
    const table = tableOf(toEightBits);
    return (line, column, channel) => {
      const at = 2 * (column * samples + channel);
      return table[((line[at] ?? 0) << 8) | (line[at + 1] ?? 0)] ?? 0;
    };
  }
  const most = 2 ** depth - 1;
  const value = (/** @type {Uint8Array} */ line, /** @type {number} */ index) =>
    ((line[(index * depth) >> 3] ?? 0) >> (8 - depth - ((index * depth) & 7))) & most;
  if (!palette) return (line, column, channel) => (value(line, column * samples + channel) * 255) / most;
  return (line, column, channel) => {
    const found = palette[3 * value(line, column) + channel];
    if (found === undefined) throw new Damage('is damaged: it has a colour that is not in its palette');
    return found;
  };
}

/**
 * Gives a byte of a value of 16 bits, the lower one first: in the file the higher one is.
 * @param {number} samples @returns {(line: Uint8Array, column: number, byte: number) => number}
 */
function bytesOfWide(samples) {
  return (line, column, byte) => line[2 * (column * samples + (byte >> 1)) + 1 - (byte & 1)] ?? 0;
}

/** What each value of 16 bits becomes. @param {Rule} rule */
function tableOf(rule) {
  const { min, max } = rule === 'shift' ? { min: 0, max: 0 } : rule;
  return Uint8Array.from({ length: 0x1_0000 }, (_, value) =>
    rule === 'shift'
      ? value >> 8
      : Math.floor(((Math.min(Math.max(value, min), max) - min) * 255) / (max - min) + 0.5),
  );
}

/** @param {Buffer} bytes */
function readChunks(bytes) {
  const data = [];
  /** @type {Buffer} */
  let header = Buffer.alloc(13);
  /** @type {Buffer | undefined} */
  let palette;
  for (let at = SIGNATURE_BYTES; ;) {
    const end = at + CHUNK_BYTES + (at + CHUNK_BYTES <= bytes.length ? bytes.readUInt32BE(at) : Infinity);
    if (end > bytes.length) throw new Damage('ends early');
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (checksum(bytes.subarray(at + 4, end - 4)) !== bytes.readUInt32BE(end - 4)) {
      throw new Damage(`is damaged: the checksum of its ${type} at byte ${at} does not agree`);
    }
    const content = bytes.subarray(at + 8, end - 4);
    if (type === 'IHDR') header = content;
    else if (type === 'PLTE') palette = content;
    else if (type === 'IDAT') data.push(content);
    else if (type === 'IEND') {
      const [depth = 8, colourType = 0] = header.subarray(8, 10);
      if (colourType !== PALETTE) palette = undefined;
      else if (!palette) throw new Damage('is damaged: it has no palette');
      const interlace = header[INTERLACE_AT] ?? 0;
      return { data: Buffer.concat(data), depth, colourType, interlace, palette };
    }
    at = end;
  }
}

/** @type {Int32Array | undefined} */
let checksums;

/** CRC-32 (PNG, annex D); zlib has it from Node 20.15 and 22.2 on. @param {Buffer} bytes */
function checksum(bytes) {
  const native = /** @type {{ crc32?: (data: Uint8Array) => number }} */ (zlib).crc32;
  if (native) return native(bytes);
  checksums ??= Int32Array.from({ length: 256 }, (_, index) => {
    let value = index;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
    return value;
  });
  let value = -1;
  for (const byte of bytes) value = (checksums[(value ^ byte) & 0xff] ?? 0) ^ (value >>> 8);
  return ~value >>> 0;
}

/** @param {Buffer} data @param {number} expected - bytes, no more and no less */
function inflate(data, expected) {
  /** @type {Buffer} */
  let filtered;
  try {
    filtered = zlib.inflateSync(data, { maxOutputLength: expected });
  } catch (error) {
    throw new Damage(`is damaged: its data cannot be unpacked (${/** @type {Error} */ (error).message})`);
  }
  if (filtered.length !== expected) {
    throw new Damage(
      `is damaged: it has ${filtered.length} bytes of pixels where its size asks for ${expected}`,
    );
  }
  return filtered;
}

/**
 * Undoes the filter of each row in place (PNG, clause 9).
 * @param {Buffer} bytes @param {number} at @param {{ rows: number; rowBytes: number; step: number }} shape
 */
function unfilter(bytes, at, { rows, rowBytes, step }) {
  const zeros = new Uint8Array(rowBytes);
  /** @type {Uint8Array} */
  let above = zeros;
  for (let row = 0; row < rows; row++, at += 1 + rowBytes) {
    const line = bytes.subarray(at + 1, at + 1 + rowBytes);
    const filter = bytes[at] ?? 0;
    const undo = FILTERS[filter];
    if (!undo) throw new Damage(`is damaged: it has a row of filter ${filter}, which there is not`);
    undo(line, above, step);
    above = line;
  }
}

/** @type {((line: Uint8Array, above: Uint8Array, step: number) => void)[]} none, sub, up, average, Paeth */
const FILTERS = [
  () => undefined,
  (line, _, step) => {
    for (let index = step; index < line.length; index++) {
      line[index] = /** @type {number} */ (line[index]) + /** @type {number} */ (line[index - step]);
    }
  },
  (line, above) => {
    for (let index = 0; index < line.length; index++) {
      line[index] = /** @type {number} */ (line[index]) + /** @type {number} */ (above[index]);
    }
  },
  (line, above, step) => {
    for (let index = 0; index < line.length; index++) {
      const left = index < step ? 0 : /** @type {number} */ (line[index - step]);
      const both = left + /** @type {number} */ (above[index]);
      line[index] = /** @type {number} */ (line[index]) + (both >> 1);
    }
  },
  (line, above, step) => {
    for (let index = 0; index < line.length; index++) {
      const left = index < step ? 0 : /** @type {number} */ (line[index - step]);
      const up = /** @type {number} */ (above[index]);
      const corner = index < step ? 0 : /** @type {number} */ (above[index - step]);
      const toLeft = Math.abs(up - corner);
      const toUp = Math.abs(left - corner);
      const toCorner = Math.abs(left + up - 2 * corner);
      const nearest = toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
      line[index] = /** @type {number} */ (line[index]) + nearest;
    }
  },
];
