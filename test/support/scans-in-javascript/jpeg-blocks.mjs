// @ts-check
/** Reads the blocks of a JPEG's scan (ITU-T T.81, annexes F and G), and holds each against what a block can be. */
import { Damage } from '../../../src/frames/decoding/damage.mjs';

/**
 * @typedef {{ id: number; across: number; down: number; blocksWide: number; blocksHigh: number; rowBlocks: number;
 *   table: number; quantizer: number; nonZero: Uint8Array; bitsLeft: Int8Array }} Component `rowBlocks`: of a row as
 *   interleaved scans fill it; `table`, `quantizer`: of its DC values; `bitsLeft`: low bits of each coefficient that were not sent yet, -1 before any was
 * @typedef {{ component: Component; dc: Uint16Array | undefined; ac: Uint16Array | undefined }} ScanPart
 * @typedef {{ first: number; last: number; high: number; low: number }} Band spectral selection and approximation
 */

/** DC values of 8-bit samples (8 x 128), and what encoders that sharpen edges may add (mozjpeg: up to 31 a sample). */
const MOST_DC = 1024 + 256;
/** So many coefficients of one block that were all coded by bits of 0 were overwritten by zeros: no block looks like that. */
const MOST_FROM_ZEROS = 32;

/** Reads blocks of one scan, code after code; what they say is looked at as far as it can be wrong. */
export class BlockReader {
  /** @param {boolean} isProgressive @param {Band} band @param {number} channels */
  constructor(isProgressive, band, channels) {
    this.band = band;
    /** @type {Uint8Array} */
    this.bytes = new Uint8Array(3);
    /** In bits. */
    this.at = 0;
    this.bits = 0;
    /** Blocks that a progressive scan has said to be at their end. */
    this.endRun = 0;
    this.predicted = new Int32Array(channels);
    if (!isProgressive) this.read = this.#sequential;
    else if (band.first === 0) this.read = band.high === 0 ? this.#firstDc : this.#nextDc;
    else this.read = band.high === 0 ? this.#firstAc : this.#nextAc;
    if (isProgressive && band.first === 0 && band.last !== 0) {
      throw new Damage('has a scan of coefficients that do not go together');
    }
  }

  /** @param {Uint8Array} bytes */
  begin(bytes) {
    this.bytes = bytes;
    this.at = 0;
    this.bits = (bytes.length - 3) * 8;
    this.endRun = 0;
    this.predicted.fill(0);
  }

  /**
   * Whether there is a byte of padding that is not needed.
   * @param {number} from - where the segment begins in the file
   */
  end(from) {
    const left = this.bits - this.at;
    if (left < 0) throw new Damage(`has too little data after byte ${from}`);
    // An encoder that always pads (jpeg-js) adds a byte of ones where none is needed.
    const isPadding = left < 16 && this.#peek() >>> (16 - left) === (1 << left) - 1;
    if (left >= 8 && !isPadding) throw new Damage(`has ${left >> 3} bytes too many after byte ${from}`);
    if (this.endRun > 0) throw new Damage(`has too few blocks after byte ${from}`);
    return left >= 8;
  }

  /** The next 16 bits. */
  #peek() {
    const { bytes, at } = this;
    const index = at >>> 3;
    if (at > this.bits) throw new Damage('has a scan that ends early');
    const high = /** @type {number} */ (bytes[index]);
    const middle = /** @type {number} */ (bytes[index + 1]);
    const low = /** @type {number} */ (bytes[index + 2]);
    const three = (high << 16) | (middle << 8) | low;
    return (three >>> (8 - (at & 7))) & 0xffff;
  }

  /** @param {number} count - up to 16 */
  #take(count) {
    if (count === 0) return 0;
    const value = this.#peek() >>> (16 - count);
    this.at += count;
    return value;
  }

  /** @param {Uint16Array | undefined} table */
  #symbol(table) {
    const entry = table?.[this.#peek()] ?? 0;
    if (entry === 0) throw new Damage(`has a code that is not in its table, at bit ${this.at} of a scan`);
    this.at += entry >> 8;
    return entry & 0xff;
  }

  /** @param {ScanPart} part @param {number} index */
  #dc({ component, dc }, index) {
    const size = this.#symbol(dc);
    if (size > 11) throw new Damage('has a DC value that is too large');
    if (size === 0) return;
    const bits = this.#take(size);
    const difference = bits < 1 << (size - 1) ? bits - (1 << size) + 1 : bits;
    const value = (this.predicted[index] ?? 0) + difference;
    this.predicted[index] = value;
    const most = MOST_DC + component.quantizer;
    if (Math.abs(value << this.band.low) * component.quantizer > most) {
      throw new Damage(`has a block that is brighter or darker than can be, at bit ${this.at} of a scan`);
    }
  }

  /** @type {(part: ScanPart, index: number, block: number) => void} */
  #sequential(part, index) {
    const from = this.at;
    this.#dc(part, index);
    const { ac } = part;
    let count = 0;
    for (let k = 1; k < 64;) {
      const symbol = this.#symbol(ac);
      const size = symbol & 15;
      k += symbol >> 4;
      if (size === 0) {
        if (symbol === 0) break;
        if (symbol !== 0xf0) throw new Damage('has a code that means nothing');
        if (++k > 63) throw new Damage('has a block with more than 64 coefficients');
        continue;
      }
      if (size > 10) throw new Damage('has a coefficient that is too large');
      if (k++ > 63) throw new Damage('has a block with more than 64 coefficients');
      this.at += size;
      count++;
    }
    if (count > MOST_FROM_ZEROS) this.#checkNotZeros(from);
  }

  /** @param {number} from - first bit of the block */
  #checkNotZeros(from) {
    const { bytes, at } = this;
    for (let index = (from >>> 3) + 1; index < at >>> 3; index++) if (bytes[index] !== 0) return;
    throw new Damage('has a block that was overwritten by zeros');
  }

  /** @type {(part: ScanPart, index: number, block: number) => void} */
  #firstDc(part, index) {
    this.#dc(part, index);
  }

  #nextDc() {
    this.#take(1);
  }

  /** @type {(part: ScanPart, index: number, block: number) => void} */
  #firstAc({ component: { nonZero }, ac }, _, block) {
    if (this.endRun > 0) {
      this.endRun--;
      return;
    }
    const from = this.at;
    const { first, last } = this.band;
    let count = 0;
    for (let k = first; k <= last; k++) {
      const symbol = this.#symbol(ac);
      const run = symbol >> 4;
      const size = symbol & 15;
      if (size === 0 && run < 15) {
        this.endRun = (1 << run) - 1 + this.#take(run);
        break;
      }
      k += run;
      if (k > last || size > 10) throw new Damage('has a block with more coefficients than its scan');
      if (size === 0) continue;
      this.at += size;
      nonZero[block * 64 + k] = 1;
      count++;
    }
    if (count > MOST_FROM_ZEROS) this.#checkNotZeros(from);
  }

  /** @type {(part: ScanPart, index: number, block: number) => void} */
  #nextAc({ component: { nonZero }, ac }, _, block) {
    const { last } = this.band;
    const base = block * 64;
    let k = this.band.first;
    for (; this.endRun === 0 && k <= last; k++) {
      const symbol = this.#symbol(ac);
      let run = symbol >> 4;
      const size = symbol & 15;
      if (size > 1) throw new Damage('has a correction of more than a bit');
      if (size === 0 && run < 15) {
        this.endRun = (1 << run) + this.#take(run);
        break;
      }
      if (size === 1) this.at++; // its sign
      for (; k <= last; k++) {
        if (nonZero[base + k] === 1) this.at++;
        else if (run-- === 0) break;
      }
      if (k > last && (size === 1 || run > 0))
        throw new Damage('has a block with more coefficients than its scan');
      if (size === 1) nonZero[base + k] = 1;
    }
    if (this.endRun === 0) return;
    for (; k <= last; k++) if (nonZero[base + k] === 1) this.at++;
    this.endRun--;
  }
}
