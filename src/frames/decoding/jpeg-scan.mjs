// @ts-check
/**
 * Finds damage in the entropy-coded data of a JPEG (ITU-T T.81, annexes F and G) by reading every code of it. A decoder of
 * the libjpeg family repairs what it can and goes on: of 400 scans with 200 bytes of zeros in them it warned of 246. No
 * encoder breaks any of these rules: every code is in its table, no block has more than 64 coefficients, a DC value is
 * possible for 8-bit samples, each restart marker comes where it is due, the data ends with the last block,
 * and every coefficient was sent with all of its bits.
 */
import { Buffer } from 'node:buffer';
import { Damage } from './damage.mjs';
import { DEFINITION, ScanKernel, TABLES } from './scan-kernel.mjs';

/**
 * @typedef {{ id: number; across: number; down: number; blocksWide: number; blocksHigh: number; rowBlocks: number;
 *   table: number; quantizer: number; mask: number; bitsLeft: Int8Array }} Component `rowBlocks`: of a row as interleaved scans
 *   fill it; `table`, `quantizer`: of its DC values; `mask`: where the bits of the coefficients are that are not zero;
 *   `bitsLeft`: low bits of each coefficient that were not sent yet, -1 before any was
 * @typedef {{ component: Component; dc: number; ac: number }} ScanPart
 * @typedef {{ first: number; last: number; high: number; low: number }} Band spectral selection and approximation
 * @typedef {{ isProgressive: boolean; components: Component[]; unitsWide: number; unitsHigh: number }} Frame
 */

const MARKER = { end: 0xd9, scan: 0xda, quantizers: 0xdb, interval: 0xdd, huffman: 0xc4 };
const PROGRESSIVE = 0xc2;
/** Baseline, extended sequential, progressive: those that are coded by Huffman's codes. */
const FRAMES = new Set([0xc0, 0xc1, PROGRESSIVE]);
const LONGEST_CODE = 16;
/** Codes of a Huffman table (T.81, B.2.4.2), and channels of a scan (B.2.3), at most. */
const MOST_SYMBOLS = 256;
const MOST_PARTS = 4;
/** As in scans.as. */
const KIND = { sequential: 0, firstDc: 1, nextDc: 2, firstAc: 3, nextAc: 4 };
/** Of a number of 64 bits, a bit for each coefficient. */
const MASK_BYTES = 8;
/** A byte of ones in the data, and the zero that is stuffed after it. */
const STUFFED_BYTES = 2;

/**
 * Checks every scan, and gives the file without bytes of padding that are not needed: libjpeg warns of them.
 *
 * @param {Uint8Array} image - a whole JPEG file
 * @throws {Damage}
 */
export function checkScans(image) {
  const kernel = new ScanKernel(image);
  try {
    return withoutSpare(image, scansOf(image, kernel));
  } finally {
    kernel.close();
  }
}

/** @param {Uint8Array} image @param {readonly number[]} spare - where bytes of padding are that are not needed */
function withoutSpare(image, spare) {
  if (spare.length === 0) return image;
  const starts = [0, ...spare.map((at) => at + STUFFED_BYTES)];
  return Buffer.concat(starts.map((start, index) => image.subarray(start, spare[index] ?? image.length)));
}

/** Reads every scan; gives where bytes of padding are that are not needed. @param {Uint8Array} image @param {ScanKernel} kernel */
function scansOf(image, kernel) {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
  /** @type {number[]} DC quantizer by table */
  const quantizers = [];
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
    else if (marker === MARKER.huffman) readHuffman(segment, kernel);
    else if (marker === MARKER.interval) interval = segment.readUInt16BE(0);
    else if (FRAMES.has(marker)) frame = readFrame(segment, marker === PROGRESSIVE, kernel);
    else if (marker === MARKER.scan) {
      if (!frame) throw new Damage('has a scan before its frame');
      at = readScan(bytes, at, segment, { frame, kernel, interval, quantizers, spare });
    }
  }
  if (!frame) throw new Damage('has no frame');
  for (const { bitsLeft } of frame.components) {
    if (bitsLeft.some((bits) => bits !== 0)) throw new Damage('ends before its last scan');
  }
  return spare;
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

/** @param {Buffer} segment @param {ScanKernel} kernel */
function readHuffman(segment, kernel) {
  for (let at = 0; at < segment.length;) {
    const head = segment[at] ?? 0;
    const counts = segment.subarray(at + 1, at + 1 + LONGEST_CODE);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const end = at + 1 + LONGEST_CODE + total;
    if (end > segment.length) throw new Damage('has a Huffman table that is cut off');
    if ((head & 15) >= TABLES || total > MOST_SYMBOLS) throw new Damage('has a Huffman table that cannot be');
    kernel.bytes.set(segment.subarray(at + 1, end), DEFINITION);
    if (kernel.functions.define((head & 15) + (head >> 4 === 0 ? 0 : TABLES)) === 0) {
      throw new Damage('has a Huffman table with too many codes');
    }
    at = end;
  }
}

/** @param {Buffer} segment @param {boolean} isProgressive @param {ScanKernel} kernel @returns {Frame} */
function readFrame(segment, isProgressive, kernel) {
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
    mask: isProgressive ? kernel.take(unitsWide * across * unitsHigh * down * MASK_BYTES) : 0,
    bitsLeft: new Int8Array(64).fill(-1),
  }));
  return { isProgressive, components, unitsWide, unitsHigh };
}

/**
 * Reads one scan, and gives the place of the marker after it.
 *
 * @param {Buffer} bytes @param {number} at @param {Buffer} header
 * @param {{ frame: Frame; kernel: ScanKernel; interval: number; quantizers: number[]; spare: number[] }} o `spare` takes where a byte of padding is that is not needed
 */
function readScan(bytes, at, header, { frame, kernel, interval, quantizers, spare }) {
  const count = header[0] ?? 0;
  if (header.length < 4 + 2 * count || count < 1 || count > MOST_PARTS) {
    throw new Damage('has a scan header that is cut off');
  }
  const parts = Array.from({ length: count }, (_, index) => {
    const id = header[1 + 2 * index];
    const tables = header[2 + 2 * index] ?? 0;
    const component = frame.components.find((one) => one.id === id);
    if (!component) throw new Damage('has a scan of a channel that it does not have');
    return { component, dc: kernel.codes(tables >> 4, false), ac: kernel.codes(tables & 15, true) };
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
  const kind = kindOf(frame.isProgressive, band);
  for (const [index, { component, dc, ac }] of parts.entries()) {
    const { across, down, rowBlocks, blocksWide, quantizer, mask } = component;
    kernel.setPart(index, [across, down, rowBlocks, blocksWide, dc, ac, quantizer, mask]);
  }
  const { begin, segment, next, spare: isSpare } = kernel.functions;
  begin(kind, parts.length, frame.unitsWide, band.first, band.last, band.low);
  const { component: only } = /** @type {ScanPart} */ (parts[0]);
  const units = parts.length === 1 ? only.blocksWide * only.blocksHigh : frame.unitsWide * frame.unitsHigh;
  for (let unit = 0, restart = 0; ; restart = (restart + 1) % 8) {
    const until = interval > 0 ? Math.min(units, unit + interval) : units;
    const fault = segment(kernel.file + at, kernel.fileEnd, kernel.buffer, unit, until);
    if (fault !== 0) throw new Damage(wordsFor(fault, at, kernel));
    const end = next() - kernel.file;
    if (isSpare() !== 0) spare.push(end - STUFFED_BYTES);
    unit = until;
    at = end;
    if (unit === units) return at;
    if (bytes[at] !== 0xff || bytes[at + 1] !== 0xd0 + restart) {
      throw new Damage(`lacks the restart marker that is due at byte ${at}`);
    }
    at += 2;
  }
}

/** @param {boolean} isProgressive @param {Band} band */
function kindOf(isProgressive, { first, last, high }) {
  if (!isProgressive) return KIND.sequential;
  if (first > 0) return high === 0 ? KIND.firstAc : KIND.nextAc;
  if (last !== 0) throw new Damage('has a scan of coefficients that do not go together');
  return high === 0 ? KIND.firstDc : KIND.nextDc;
}

/** What a number of the kernel means. @param {number} fault @param {number} from @param {ScanKernel} kernel */
function wordsFor(fault, from, { functions }) {
  const place = `at bit ${functions.at()} of a scan`;
  const words = [
    ...[
      'is whole',
      'ends early',
      'has a scan that ends early',
      `has a code that is not in its table, ${place}`,
    ],
    ...['has a DC value that is too large', `has a block that is brighter or darker than can be, ${place}`],
    ...['has a code that means nothing', 'has a block with more than 64 coefficients'],
    ...['has a coefficient that is too large', 'has a block that was overwritten by zeros'],
    ...['has a block with more coefficients than its scan', 'has a correction of more than a bit'],
    ...[
      `has too little data after byte ${from}`,
      `has ${functions.unread()} bytes too many after byte ${from}`,
    ],
    `has too few blocks after byte ${from}`,
  ];
  return words[fault] ?? 'is damaged';
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
