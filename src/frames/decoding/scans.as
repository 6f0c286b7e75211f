/**
 * Reads the entropy-coded blocks of a JPEG's scans (ITU-T T.81, annexes F and G), and holds each against what a block can be, in
 * AssemblyScript. `npm run kernels` compiles this file to scans.wasm beside it, and a test holds the two together. jpeg-scan.mjs
 * reads the headers, puts what a scan needs into this memory, and says in words what a function here gives as a number.
 *
 * A code of Huffman is looked up by the next 16 bits. Of AC coefficients a second table has steps: by the next 12 bits all of the
 * coefficients whose codes are whole within them, because most codes are short and their values are of no interest.
 */

/** A table of Huffman's codes as the file has it: 16 counts, then the symbols. */
const DEFINITION: usize = 0x40;
/** Of the running scan: 64 bytes for each of its channels, see the offsets below. */
const PARTS: usize = 0x400;
/**
 * Nine tables by 16 bits: length of the code << 8 | symbol; 0 where there is no such code. Four are of DC, four of AC; the last stays
 * empty, for a scan that names a table which there is not.
 */
const CODES: usize = 0x1_0000;
const CODES_BYTES: usize = 0x2_0000;
/** Five tables by 12 bits, of AC and the empty one: bits of the step | coefficients' places << 8 | coefficients << 16 | whether the block ends << 24. */
const STEPS: usize = 0x13_0000;
const STEPS_BYTES: usize = 0x4000;
const STEP_BITS: u32 = 12;
const TABLES_END: usize = 0x14_4000;

/** Offsets in PARTS. `mask`: where the bits of the coefficients that are not zero are, a number of 64 bits for each block. */
const ACROSS: usize = 0;
const DOWN: usize = 4;
const ROW_BLOCKS: usize = 8;
const BLOCKS_WIDE: usize = 12;
const DC: usize = 16;
const AC: usize = 20;
const QUANTIZER: usize = 24;
const MASK: usize = 28;
const PREDICTED: usize = 32;
const PART_BYTES: usize = 64;

/** Kinds of scans: sequential; progressive, the first or the next bits of DC or AC values. */
const SEQUENTIAL = 0;
const FIRST_DC = 1;
const NEXT_DC = 2;
const FIRST_AC = 3;

/** What was found, as jpeg-scan.mjs words it. */
const WHOLE = 0;
const FILE_ENDS = 1;
const SCAN_ENDS = 2;
const NO_CODE = 3;
const LARGE_DC = 4;
const IMPOSSIBLE = 5;
const NO_MEANING = 6;
const MORE_THAN_64 = 7;
const LARGE_AC = 8;
const ZEROS = 9;
const MORE_THAN_SCAN = 10;
const LARGE_CORRECTION = 11;
const TOO_LITTLE = 12;
const TOO_MUCH = 13;
const TOO_FEW = 14;

/** DC values of 8-bit samples (8 x 128), and what encoders that sharpen edges may add (mozjpeg: up to 31 a sample). */
const MOST_DC = 1024 + 256;
/** So many coefficients of one block that were all coded by bits of 0 were overwritten by zeros: no block looks like that. */
const MOST_FROM_ZEROS = 32;
/** A block is read this far past the end of its data at most, in bytes: 16 bits for each code and 11 for each value. */
const OVERRUN: usize = 256;

let kind: i32 = 0;
let parts: i32 = 0;
let unitsWide: i32 = 0;
let first: i32 = 0;
let last: i32 = 0;
let low: i32 = 0;
/** The segment's bytes lie below this place in reverse, so that a number of 64 bits has the earlier ones on top. */
let top: usize = 0;
/** Place in the segment, and its length, in bits. */
let place: i64 = 0;
let bits: i64 = 0;
/** Blocks that a progressive scan has said to be at their end. */
let endRun: i32 = 0;
let nextMarker: usize = 0;
let isSpare: i32 = 0;

/** Forgets the tables of the last picture. */
export function reset(): void {
  memory.fill(CODES, 0, TABLES_END - CODES);
}

/** Makes the table (0 to 3 of DC, 4 to 7 of AC) of what was put at DEFINITION; 0 when it has more codes than there can be. */
export function define(table: i32): i32 {
  const codes = CODES + <usize>table * CODES_BYTES;
  memory.fill(codes, 0, CODES_BYTES);
  let code: u32 = 0;
  let symbol = DEFINITION + 16;
  for (let length: u32 = 1; length <= 16; length++) {
    for (let left = load<u8>(DEFINITION + length - 1); left > 0; left--, code++, symbol++) {
      if (code >= <u32>1 << length) return 0;
      const entry = <u16>((length << 8) | load<u8>(symbol));
      const until = (code + 1) << (16 - length);
      for (let index = code << (16 - length); index < until; index++) store<u16>(codes + 2 * index, entry);
    }
    code <<= 1;
  }
  if (table >= 4) makeSteps(codes, STEPS + <usize>(table - 4) * STEPS_BYTES);
  return 1;
}

function makeSteps(codes: usize, steps: usize): void {
  for (let index: u32 = 0; index < <u32>1 << STEP_BITS; index++) {
    const window = index << (16 - STEP_BITS);
    let used: u32 = 0;
    let places: u32 = 0;
    let count: u32 = 0;
    let ends: u32 = 0;
    while (used < STEP_BITS) {
      const entry = <u32>load<u16>(codes + 2 * ((window << used) & 0xffff));
      const length = entry >> 8;
      if (entry == 0 || used + length > STEP_BITS) break;
      const size = entry & 15;
      if ((entry & 0xff) == 0) {
        used += length;
        ends = 1;
        break;
      }
      if (size == 0 || size > 10) break; // a run of zeros, or a mistake: seen by itself
      used += length + size;
      places += ((entry & 0xff) >> 4) + 1;
      count++;
    }
    store<u32>(steps + 4 * index, used | (places << 8) | (count << 16) | (ends << 24));
  }
}

/** Begins a scan, whose channels were put at PARTS. */
export function begin(
  ofKind: i32,
  channels: i32,
  wide: i32,
  firstPlace: i32,
  lastPlace: i32,
  lowBit: i32,
): void {
  kind = ofKind;
  parts = channels;
  unitsWide = wide;
  first = firstPlace;
  last = lastPlace;
  low = lowBit;
}

/**
 * Reads units of the scan, from one restart marker to the next: `from` is where their data begin, `fileEnd` where the file ends,
 * `buffer` the end of memory for as many bytes and OVERRUN. What is wrong, or 0.
 */
export function segment(from: usize, fileEnd: usize, buffer: usize, unit: i32, untilUnit: i32): i32 {
  top = buffer;
  const found = collect(from, fileEnd);
  if (found != WHOLE) return found;
  place = 0;
  endRun = 0;
  for (let index = 0; index < parts; index++) store<i32>(PARTS + <usize>index * PART_BYTES, 0, PREDICTED);
  for (; unit < untilUnit; unit++) {
    const fault = parts == 1 ? blockOfOne(unit) : blocksOfUnit(unit);
    if (fault != WHOLE) return place > bits ? SCAN_ENDS : fault; // it may come of what lies behind the end
  }
  return finish();
}

/** Where the marker after the segment is. */
export function next(): usize {
  return nextMarker;
}

/** Whether the segment ends with a byte of padding that is not needed. */
export function spare(): i32 {
  return isSpare;
}

/** Where the reader stands in the segment, in bits. */
export function at(): f64 {
  return <f64>place;
}

/** Bytes of the segment that were not read. */
export function unread(): f64 {
  return <f64>((bits - place) >> 3);
}

/** Takes the bytes up to the next marker, without the zeros that are stuffed after each 0xFF. */
function collect(from: usize, fileEnd: usize): i32 {
  let to = top;
  while (from < fileEnd) {
    while (from + 8 <= fileEnd) {
      const eight = load<u64>(from);
      if (((~eight - 0x0101010101010101) & eight & 0x8080808080808080) != 0) break; // there is a byte of ones
      to -= 8;
      store<u64>(to, bswap<u64>(eight));
      from += 8;
    }
    const until = min(from + 8, fileEnd);
    while (from < until) {
      const byte = load<u8>(from);
      if (byte == 0xff) {
        if (from + 1 >= fileEnd || load<u8>(from, 1) != 0) {
          nextMarker = from;
          bits = <i64>(top - to) * 8;
          memory.fill(to - OVERRUN, 0, OVERRUN);
          return WHOLE;
        }
        from++;
      }
      from++;
      to--;
      store<u8>(to, byte);
    }
  }
  return FILE_ENDS;
}

/** 57 bits or more from a place on, the first on top. */
// @ts-ignore: decorator
@inline
function windowAt(bit: i64): u64 {
  return load<u64>(top - 8 - <usize>(bit >> 3)) << (bit & 7);
}

function blockOfOne(unit: i32): i32 {
  if (kind == SEQUENTIAL) return sequential(PARTS);
  const wide = load<i32>(PARTS, BLOCKS_WIDE);
  return progressive(PARTS, (unit / wide) * load<i32>(PARTS, ROW_BLOCKS) + (unit % wide));
}

/** So many blocks of each channel as its sampling says. */
function blocksOfUnit(unit: i32): i32 {
  const left = kind == SEQUENTIAL ? 0 : unit % unitsWide;
  const row = kind == SEQUENTIAL ? 0 : unit / unitsWide;
  for (let index = 0; index < parts; index++) {
    const part = PARTS + <usize>index * PART_BYTES;
    const across = load<i32>(part, ACROSS);
    const down = load<i32>(part, DOWN);
    for (let y = 0; y < down; y++) {
      for (let x = 0; x < across; x++) {
        const fault =
          kind == SEQUENTIAL
            ? sequential(part)
            : progressive(part, (row * down + y) * load<i32>(part, ROW_BLOCKS) + left * across + x);
        if (fault != WHOLE) return fault;
      }
    }
  }
  return WHOLE;
}

function progressive(part: usize, block: i32): i32 {
  if (place > bits) return SCAN_ENDS;
  if (kind == FIRST_DC) return dc(part);
  if (kind == NEXT_DC) {
    place++;
    return WHOLE;
  }
  const mask = <usize>load<u32>(part, MASK) + 8 * <usize>block;
  return kind == FIRST_AC ? firstAc(part, mask) : nextAc(part, mask);
}

/** A code of Huffman by the bits on top of `window`; 0 where there is none. */
// @ts-ignore: decorator
@inline
function codeIn(table: usize, window: u64): i32 {
  return <i32>load<u16>(table + 2 * <usize>(window >> 48));
}

/** A DC value: its difference from the one before, and whether it can be. */
// @ts-ignore: decorator
@inline
function dc(part: usize): i32 {
  let window = windowAt(place);
  const entry = codeIn(<usize>load<u32>(part, DC), window);
  if (entry == 0) return NO_CODE;
  const size = entry & 0xff;
  place += entry >> 8;
  if (size > 11) return LARGE_DC;
  if (size == 0) return WHOLE;
  window <<= entry >> 8;
  const value = <i32>(window >> (64 - size));
  place += size;
  const difference = value < 1 << (size - 1) ? value - (1 << size) + 1 : value;
  const predicted = load<i32>(part, PREDICTED) + difference;
  store<i32>(part, predicted, PREDICTED);
  const quantizer = <i64>load<i32>(part, QUANTIZER);
  const size64 = <i64>(predicted << low);
  return (size64 < 0 ? -size64 : size64) * quantizer > MOST_DC + quantizer ? IMPOSSIBLE : WHOLE;
}

function sequential(part: usize): i32 {
  if (place > bits) return SCAN_ENDS;
  const from = place;
  const fault = dc(part);
  if (fault != WHOLE) return fault;
  const codes = <usize>load<u32>(part, AC);
  const steps = STEPS + ((codes - CODES) / CODES_BYTES - 4) * STEPS_BYTES;
  let bit = place;
  let window = windowAt(bit);
  let have = 64 - <i32>(bit & 7);
  let count = 0;
  for (let k = 1; k < 64; ) {
    if (have < 32) {
      window = windowAt(bit);
      have = 64 - <i32>(bit & 7);
    }
    const step = load<u32>(steps + 4 * <usize>(window >> (64 - STEP_BITS)));
    const ends = <i32>(step >> 24);
    const after = k + <i32>((step >> 8) & 0xff);
    if (step != 0 && after + ends <= 64) {
      const used = <i32>(step & 0xff);
      window <<= used;
      bit += used;
      have -= used;
      k = after;
      count += <i32>((step >> 16) & 0xff);
      if (ends != 0) break;
      continue;
    }
    const entry = codeIn(codes, window);
    const size = entry & 15;
    let used = entry >> 8;
    place = bit + used;
    if (entry == 0) return NO_CODE;
    k += (entry & 0xff) >> 4;
    if (size == 0) {
      if ((entry & 0xff) == 0) {
        bit += used;
        break;
      }
      if ((entry & 0xff) != 0xf0) return NO_MEANING;
      if (++k > 63) return MORE_THAN_64;
    } else {
      if (size > 10) return LARGE_AC;
      if (k++ > 63) return MORE_THAN_64;
      used += size;
      count++;
    }
    window <<= used;
    bit += used;
    have -= used;
  }
  place = bit;
  return count > MOST_FROM_ZEROS && isZeros(from) ? ZEROS : WHOLE;
}

/** Whether all whole bytes of a block that begins at this bit are zeros. */
function isZeros(from: i64): bool {
  for (let index = (from >> 3) + 1; index < place >> 3; index++) {
    if (load<u8>(top - 1 - <usize>index) != 0) return false;
  }
  return true;
}

function firstAc(part: usize, mask: usize): i32 {
  if (endRun > 0) {
    endRun--;
    return WHOLE;
  }
  const from = place;
  const codes = <usize>load<u32>(part, AC);
  let seen = load<u64>(mask);
  let count = 0;
  for (let k = first; k <= last; k++) {
    const window = windowAt(place);
    const entry = codeIn(codes, window);
    if (entry == 0) return NO_CODE;
    const run = (entry & 0xff) >> 4;
    const size = entry & 15;
    place += entry >> 8;
    if (size == 0 && run < 15) {
      endRun = (1 << run) - 1 + (run == 0 ? 0 : <i32>((window << (entry >> 8)) >> (64 - run)));
      place += run;
      break;
    }
    k += run;
    if (k > last || size > 10) return MORE_THAN_SCAN;
    if (size == 0) continue;
    place += size;
    seen |= <u64>1 << k;
    count++;
  }
  store<u64>(mask, seen);
  return count > MOST_FROM_ZEROS && isZeros(from) ? ZEROS : WHOLE;
}

function nextAc(part: usize, mask: usize): i32 {
  const codes = <usize>load<u32>(part, AC);
  let seen = load<u64>(mask);
  let k = first;
  for (; endRun == 0 && k <= last; k++) {
    const window = windowAt(place);
    const entry = codeIn(codes, window);
    if (entry == 0) return NO_CODE;
    let run = (entry & 0xff) >> 4;
    const size = entry & 15;
    place += entry >> 8;
    if (size > 1) return LARGE_CORRECTION;
    if (size == 0 && run < 15) {
      endRun = (1 << run) + (run == 0 ? 0 : <i32>((window << (entry >> 8)) >> (64 - run)));
      place += run;
      break;
    }
    place += size; // its sign
    for (; k <= last; k++) {
      if ((seen >> k) & 1) place++;
      else if (run-- == 0) break;
    }
    if (k > last && (size == 1 || run > 0)) return MORE_THAN_SCAN;
    if (size == 1) seen |= <u64>1 << k;
  }
  store<u64>(mask, seen);
  if (endRun == 0) return WHOLE;
  for (; k <= last; k++) place += (seen >> k) & 1;
  endRun--;
  return WHOLE;
}

/** Whether the data end with the last block: less than a byte, or a byte of ones that an encoder adds which always pads. */
function finish(): i32 {
  const left = <i32>min(bits - place, 1 << 20);
  if (left < 0) return TOO_LITTLE;
  const isPadding = left < 16 && <i32>(windowAt(place) >> 48) >> (16 - left) == (1 << left) - 1;
  if (left >= 8 && !isPadding) return TOO_MUCH;
  if (endRun > 0) return TOO_FEW;
  isSpare = left >= 8 ? 1 : 0;
  return WHOLE;
}
