// @ts-check
/**
 * What src/frames/decoding/scans.as is held against: the same rules, one code after the other.
 *
 * Finds damage in the entropy-coded data of a JPEG (ITU-T T.81, annexes F and G) by reading every code of it. A decoder of
 * the libjpeg family repairs what it can and goes on: of 400 scans with 200 bytes of zeros in them it warned of 246. No
 * encoder breaks any of these rules: every code is in its table, no block has more than 64 coefficients, a DC value is
 * possible for 8-bit samples, each restart marker comes where it is due, the data ends with the last block,
 * and every coefficient was sent with all of its bits.
 */
import { Buffer } from 'node:buffer';
import { Damage } from '../../../src/frames/decoding/damage.mjs';
import { BlockReader } from './jpeg-blocks.mjs';

/**
 * @typedef {import('./jpeg-blocks.mjs').Component} Component
 * @typedef {import('./jpeg-blocks.mjs').ScanPart} ScanPart
 * @typedef {import('./jpeg-blocks.mjs').Band} Band
 * @typedef {{ isProgressive: boolean; components: Component[]; unitsWide: number; unitsHigh: number }} Frame
 */

const MARKER = { end: 0xd9, scan: 0xda, quantizers: 0xdb, interval: 0xdd, huffman: 0xc4 };
const PROGRESSIVE = 0xc2;
/** Baseline, extended sequential, progressive: those that are coded by Huffman's codes. */
const FRAMES = new Set([0xc0, 0xc1, PROGRESSIVE]);
const LONGEST_CODE = 16;
/** A byte of ones in the data, and the zero that is stuffed after it. */
const STUFFED_BYTES = 2;

/**
 * Checks every scan, and gives the file without bytes of padding that are not needed: libjpeg warns of them.
 *
 * @param {Uint8Array} image - a whole JPEG file
 * @throws {Damage}
 */
export function checkScans(image) {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
  /** @type {number[]} DC quantizer by table */
  const quantizers = [];
  /** @type {{ dc: Uint16Array[]; ac: Uint16Array[] }} */
  const codes = { dc: [], ac: [] };
  /** @type {Frame | undefined} */
  let frame;
  let interval = 0;
  /** @type {number[]} */
  const spare = [];
  for (let at = 2; ;) {
    while (bytes[at] === 0xff && bytes[at + 1] === 0xff) at++; // fill bytes
    if (at + 2 > bytes.length) throw new Damage('ends early');
    if (bytes[at] !== 0xff) throw new Damage(`has no marker at byte ${at}, where one is due`);
    const marker = bytes[at + 1] ?? 0;
    if (marker === MARKER.end) break;
    if (at + 4 > bytes.length) throw new Damage('ends early');
    const end = at + 2 + bytes.readUInt16BE(at + 2);
    if (end > bytes.length) throw new Damage('ends early');
    const segment = bytes.subarray(at + 4, end);
    at = end;
    if (marker === MARKER.quantizers) readQuantizers(segment, quantizers);
    else if (marker === MARKER.huffman) readHuffman(segment, codes);
    else if (marker === MARKER.interval) interval = segment.readUInt16BE(0);
    else if (FRAMES.has(marker)) frame = readFrame(segment, marker === PROGRESSIVE);
    else if (marker === MARKER.scan) {
      if (!frame) throw new Damage('has a scan before its frame');
      at = readScan(bytes, at, segment, { frame, codes, interval, quantizers, spare });
    }
  }
  if (!frame) throw new Damage('has no frame');
  for (const { bitsLeft } of frame.components) {
    if (bitsLeft.some((bits) => bits !== 0)) throw new Damage('ends before its last scan');
  }
  const starts = [0, ...spare.map((at) => at + STUFFED_BYTES)];
  return Buffer.concat(starts.map((start, index) => bytes.subarray(start, spare[index] ?? bytes.length)));
}

/** @param {Buffer} segment @param {number[]} quantizers */
function readQuantizers(segment, quantizers) {
  for (let at = 0; at < segment.length;) {
    const head = segment[at] ?? 0;
    const size = head >> 4 === 0 ? 1 : 2;
    if (at + 1 + 64 * size > segment.length) throw new Damage('has a quantization table that is cut off');
    quantizers[head & 15] = segment.readUIntBE(at + 1, size);
    at += 1 + 64 * size;
  }
}

/** @param {Buffer} segment @param {{ dc: Uint16Array[]; ac: Uint16Array[] }} codes */
function readHuffman(segment, codes) {
  for (let at = 0; at < segment.length;) {
    const head = segment[at] ?? 0;
    const counts = segment.subarray(at + 1, at + 1 + LONGEST_CODE);
    const total = counts.reduce((sum, count) => sum + count, 0);
    at += 1 + LONGEST_CODE + total;
    if (at > segment.length) throw new Damage('has a Huffman table that is cut off');
    const table = huffmanTable(counts, segment.subarray(at - total, at));
    (head >> 4 === 0 ? codes.dc : codes.ac)[head & 15] = table;
  }
}

/**
 * Length of the code << 8 | symbol, by the next 16 bits; 0 where there is no such code.
 * @param {Uint8Array} counts @param {Uint8Array} symbols
 */
function huffmanTable(counts, symbols) {
  const table = new Uint16Array(1 << LONGEST_CODE);
  let code = 0;
  let index = 0;
  for (let length = 1; length <= LONGEST_CODE; length++) {
    const shift = LONGEST_CODE - length;
    for (let left = counts[length - 1] ?? 0; left > 0; left--, code++, index++) {
      if (code >= 1 << length) throw new Damage('has a Huffman table with too many codes');
      table.fill((length << 8) | (symbols[index] ?? 0), code << shift, (code + 1) << shift);
    }
    code <<= 1;
  }
  return table;
}

/** @param {Buffer} segment @param {boolean} isProgressive @returns {Frame} */
function readFrame(segment, isProgressive) {
  const height = segment.readUInt16BE(1);
  const width = segment.readUInt16BE(3);
  const parts = Array.from({ length: segment[5] ?? 0 }, (_, index) => segment.subarray(6 + 3 * index));
  const factors = parts.map(([id = 0, sampling = 0, table = 0]) => ({
    ...{ id, table, across: sampling >> 4, down: sampling & 15 },
  }));
  const mostAcross = Math.max(...factors.map(({ across }) => across));
  const mostDown = Math.max(...factors.map(({ down }) => down));
  if (factors.some(({ across, down }) => !(across >= 1 && across <= 4 && down >= 1 && down <= 4))) {
    throw new Damage('has sampling factors that cannot be');
  }
  const unitsWide = Math.ceil(width / (8 * mostAcross));
  const unitsHigh = Math.ceil(height / (8 * mostDown));
  const components = factors.map(({ id, table, across, down }) => ({
    ...{ id, table, across, down, quantizer: 1 },
    blocksWide: Math.ceil(Math.ceil((width * across) / mostAcross) / 8),
    blocksHigh: Math.ceil(Math.ceil((height * down) / mostDown) / 8),
    rowBlocks: unitsWide * across,
    nonZero: new Uint8Array(isProgressive ? unitsWide * across * unitsHigh * down * 64 : 0),
    bitsLeft: new Int8Array(64).fill(-1),
  }));
  return { isProgressive, components, unitsWide, unitsHigh };
}

/**
 * Reads one scan, and gives the place of the marker after it.
 *
 * @param {Buffer} bytes @param {number} at @param {Buffer} header
 * @param {{ frame: Frame; codes: { dc: Uint16Array[]; ac: Uint16Array[] }; interval: number; quantizers: number[];
 *   spare: number[] }} o `spare` takes where a byte of padding is that is not needed
 */
function readScan(bytes, at, header, { frame, codes, interval, quantizers, spare }) {
  const count = header[0] ?? 0;
  if (header.length < 4 + 2 * count || count < 1) throw new Damage('has a scan header that is cut off');
  const parts = Array.from({ length: count }, (_, index) => {
    const id = header[1 + 2 * index];
    const tables = header[2 + 2 * index] ?? 0;
    const component = frame.components.find((one) => one.id === id);
    if (!component) throw new Damage('has a scan of a channel that it does not have');
    return { component, dc: codes.dc[tables >> 4], ac: codes.ac[tables & 15] };
  });
  const [first = 0, last = 0, approximation = 0] = header.subarray(1 + 2 * count);
  const band = frame.isProgressive
    ? { first, last, high: approximation >> 4, low: approximation & 15 }
    : { first: 0, last: 63, high: 0, low: 0 };
  if (band.last > 63 || band.first > band.last)
    throw new Damage('has a scan of coefficients that there are not');
  for (const { component } of parts) {
    noteBits(component, band);
    component.quantizer = quantizers[component.table] ?? 1;
  }
  const reader = new BlockReader(frame.isProgressive, band, parts.length);
  const blocks = blocksOf(frame, parts);
  const { component: only } = /** @type {ScanPart} */ (parts[0]);
  const units = parts.length === 1 ? only.blocksWide * only.blocksHigh : frame.unitsWide * frame.unitsHigh;
  for (let unit = 0, restart = 0; ; restart = (restart + 1) % 8) {
    const data = segmentAt(bytes, at);
    reader.begin(data.bytes);
    const until = interval > 0 ? Math.min(units, unit + interval) : units;
    for (; unit < until; unit++) blocks(unit, reader);
    if (reader.end(at)) spare.push(data.end - STUFFED_BYTES);
    at = data.end;
    if (unit === units) return at;
    if (bytes[at] !== 0xff || bytes[at + 1] !== 0xd0 + restart) {
      throw new Damage(`lacks the restart marker that is due at byte ${at}`);
    }
    at += 2;
  }
}

/**
 * Notes which bits of the coefficients a scan sends: each in its turn, from the highest.
 * @param {Component} component @param {Band} band
 */
function noteBits({ bitsLeft }, { first, last, high, low }) {
  for (let index = first; index <= last; index++) {
    if (bitsLeft[index] !== (high === 0 ? -1 : high) || (high !== 0 && low !== high - 1)) {
      throw new Damage('has scans that do not follow each other');
    }
    bitsLeft[index] = low;
  }
}

/**
 * Reads the blocks of a unit of the scan: one block where it is of one channel, else so many of each as its sampling says.
 * @param {Frame} frame @param {ScanPart[]} parts @returns {(unit: number, reader: BlockReader) => void}
 */
function blocksOf({ unitsWide }, parts) {
  const [only] = parts;
  if (parts.length === 1 && only) {
    const { blocksWide, rowBlocks } = only.component;
    return (unit, reader) => {
      reader.read(only, 0, Math.floor(unit / blocksWide) * rowBlocks + (unit % blocksWide));
    };
  }
  return (unit, reader) => {
    const left = unit % unitsWide;
    const top = (unit - left) / unitsWide;
    for (let index = 0; index < parts.length; index++) {
      const part = /** @type {ScanPart} */ (parts[index]);
      const { across, down, rowBlocks } = part.component;
      for (let y = 0; y < down; y++) {
        for (let x = 0; x < across; x++) {
          reader.read(part, index, (top * down + y) * rowBlocks + left * across + x);
        }
      }
    }
  };
}

/**
 * Entropy-coded bytes up to the next marker, without the zeros that are stuffed after each 0xFF.
 * @param {Buffer} bytes @param {number} at
 */
function segmentAt(bytes, at) {
  const pieces = [];
  for (let from = at; ;) {
    const mark = bytes.indexOf(0xff, from);
    if (mark === -1) throw new Damage('ends early');
    if (bytes[mark + 1] !== 0) {
      pieces.push(bytes.subarray(from, mark));
      // The reader looks three bytes ahead.
      return { bytes: Buffer.concat([...pieces, Buffer.alloc(3)]), end: mark };
    }
    pieces.push(bytes.subarray(from, mark + 1));
    from = mark + 2;
  }
}
