/**
 * Inner loops over pixels, in AssemblyScript with WebAssembly's vectors of 128 bits. `npm run kernels` compiles this file to
 * kernels.wasm beside it, and a test holds the two together.
 *
 * A loop handles whole vectors: it may read up to 64 bytes past its input, and write as many past its output. What calls it
 * keeps that much room and takes no more than was asked for. The loops of which little is to be done in a round do four rounds in
 * one: the engine's own work in a round takes as long as that little.
 */

/** Numbers of 16 bits to 8, `shift` (1 to 8) bits dropped. Gives the OR of all numbers: which bits are used. */
export function narrow(from: usize, to: usize, count: i32, shift: i32): i32 {
  let seen = i16x8.splat(0);
  let index = 0;
  for (; index + 16 <= count; index += 16) {
    const a = v128.load(from + 2 * index);
    const b = v128.load(from + 2 * index, 16);
    seen = v128.or(seen, v128.or(a, b));
    v128.store(to + index, i8x16.narrow_i16x8_u(i16x8.shr_u(a, shift), i16x8.shr_u(b, shift)));
  }
  let used = orOf(seen);
  for (; index < count; index++) {
    const value = <i32>load<u16>(from + 2 * index);
    used |= value;
    store<u8>(to + index, <u8>min(value >> shift, 255));
  }
  return used;
}

/** The OR of numbers of 16 bits. */
export function used(from: usize, count: i32): i32 {
  let seen = i16x8.splat(0);
  let index = 0;
  for (; index + 8 <= count; index += 8) seen = v128.or(seen, v128.load(from + 2 * index));
  let bits = orOf(seen);
  for (; index < count; index++) bits |= <i32>load<u16>(from + 2 * index);
  return bits;
}

/** Numbers of 16 bits to the 8 bits that a table of 65,536 has for each. Gives the OR of all numbers. */
export function look(from: usize, to: usize, count: i32, table: usize): i32 {
  let used = 0;
  for (let index = 0; index < count; index++) {
    const value = <i32>load<u16>(from + 2 * index);
    used |= value;
    store<u8>(to + index, load<u8>(table + value));
  }
  return used;
}

// @ts-ignore: decorator
@inline
function orOf(vector: v128): i32 {
  const pair = i64x2.extract_lane(vector, 0) | i64x2.extract_lane(vector, 1);
  const four = <i32>(pair | (pair >> 32));
  return (four | (four >>> 16)) & 0xffff;
}

/** Mono10p (PFNC: 4 pixels in 5 bytes, least significant bit first) to 8 bits, the lowest 2 dropped. */
export function narrow10p(from: usize, to: usize, count: i32): void {
  for (let index = 0; index < count; index += 4, from += 5) {
    const bits = load<u64>(from);
    const low = ((bits >> 2) & 0xff) | ((bits >> 4) & 0xff00);
    const high = ((bits >> 6) & 0xff0000) | ((bits >> 8) & 0xff000000);
    store<u32>(to + index, <u32>(low | high));
  }
}

/** Mono12p (PFNC: 2 pixels in 3 bytes, least significant bit first) to 8 bits, the lowest 4 dropped. */
export function narrow12p(from: usize, to: usize, count: i32): void {
  const odd = i16x8.splat(<i16>0xff00);
  for (let index = 0; index < count; index += 16, from += 24) {
    const a = v128.load(from);
    const b = v128.load(from, 8);
    // First bytes of even pixels (their upper nibble is wanted), third bytes for odd ones (wanted whole).
    const outer = i8x16.shuffle(a, b, 0, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 25, 26, 28, 29, 31);
    // Second bytes: their lower nibble is the upper one of an even pixel.
    const inner = i8x16.shuffle(a, b, 1, 1, 4, 4, 7, 7, 10, 10, 13, 13, 24, 24, 27, 27, 30, 30);
    const even = v128.or(i8x16.shr_u(outer, 4), i8x16.shl(inner, 4));
    v128.store(to + index, v128.bitselect(outer, even, odd));
  }
}

/** Mono10p to numbers of 16 bits. */
export function unpack10p(from: usize, to: usize, count: i32): void {
  for (let index = 0; index < count; index += 4, from += 5) {
    const bits = load<u64>(from);
    const low = (bits & 0x3ff) | ((bits << 6) & 0x3ff0000);
    const high = ((bits << 12) & 0x3ff00000000) | ((bits << 18) & 0x3ff000000000000);
    store<u64>(to + 2 * index, low | high);
  }
}

/** Mono12p to numbers of 16 bits. */
export function unpack12p(from: usize, to: usize, count: i32): void {
  for (let index = 0; index < count; index += 4, from += 6) {
    const bits = load<u64>(from);
    const low = (bits & 0xfff) | ((bits << 4) & 0xfff0000);
    const high = ((bits << 8) & 0xfff00000000) | ((bits << 12) & 0xfff000000000000);
    store<u64>(to + 2 * index, low | high);
  }
}

/** Four channels to the first three. */
export function rgba(from: usize, to: usize, count: i32): void {
  for (; count >= 64; count -= 64, from += 256, to += 192) {
    rgba16(from, to);
    rgba16(from + 64, to + 48);
    rgba16(from + 128, to + 96);
    rgba16(from + 192, to + 144);
  }
  for (; count > 0; count -= 16, from += 64, to += 48) rgba16(from, to);
}

/** 16 pixels. */
// @ts-ignore: decorator
@inline
function rgba16(from: usize, to: usize): void {
  const a = i8x16.swizzle(v128.load(from), i8x16(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
  const b = i8x16.swizzle(v128.load(from, 16), i8x16(5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1, 0, 1, 2, 4));
  const c = i8x16.swizzle(v128.load(from, 32), i8x16(10, 12, 13, 14, -1, -1, -1, -1, 0, 1, 2, 4, 5, 6, 8, 9));
  const d = i8x16.swizzle(v128.load(from, 48), i8x16(-1, -1, -1, -1, 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14));
  storeThree(to, a, b, c, d);
}

/** Four channels to the first three, the first and the third changed over. */
export function bgra(from: usize, to: usize, count: i32): void {
  for (; count >= 64; count -= 64, from += 256, to += 192) {
    bgra16(from, to);
    bgra16(from + 64, to + 48);
    bgra16(from + 128, to + 96);
    bgra16(from + 192, to + 144);
  }
  for (; count > 0; count -= 16, from += 64, to += 48) bgra16(from, to);
}

/** 16 pixels. */
// @ts-ignore: decorator
@inline
function bgra16(from: usize, to: usize): void {
  const a = i8x16.swizzle(v128.load(from), i8x16(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1));
  const b = i8x16.swizzle(v128.load(from, 16), i8x16(5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1, 2, 1, 0, 6));
  const c = i8x16.swizzle(v128.load(from, 32), i8x16(8, 14, 13, 12, -1, -1, -1, -1, 2, 1, 0, 6, 5, 4, 10, 9));
  const d = i8x16.swizzle(v128.load(from, 48), i8x16(-1, -1, -1, -1, 2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12));
  storeThree(to, a, b, c, d);
}

/**
 * Stores 16 pixels, of which each vector has four: 12 bytes that lie where they are stored in one of three vectors. A swizzle by a
 * constant is one instruction of the processor, and so is a choice between the words of two vectors; a shuffle of two is many.
 */
// @ts-ignore: decorator
@inline
function storeThree(to: usize, a: v128, b: v128, c: v128, d: v128): void {
  v128.store(to, i8x16.shuffle(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 28, 29, 30, 31));
  v128.store(to, i8x16.shuffle(b, c, 0, 1, 2, 3, 4, 5, 6, 7, 24, 25, 26, 27, 28, 29, 30, 31), 16);
  v128.store(to, i8x16.shuffle(c, d, 0, 1, 2, 3, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31), 32);
}

/**
 * YUV422_8 (PFNC: Y0 U Y1 V, full range, U and V offset by 128) to RGB, as JFIF has it:
 * R = Y + 1.402 V, G = Y - 0.344136 U - 0.714136 V, B = Y + 1.772 U, rounded.
 */
export function yuv(from: usize, to: usize, count: i32): void {
  for (let index = 0; index < count; index += 2, from += 4, to += 6) {
    const u = <i32>load<u8>(from, 1) - 128;
    const v = <i32>load<u8>(from, 3) - 128;
    const red = (91881 * v + 32768) >> 16;
    const green = (-22554 * u - 46802 * v + 32768) >> 16;
    const blue = (116130 * u + 32768) >> 16;
    for (let pixel: usize = 0; pixel < 2; pixel++) {
      const y = <i32>load<u8>(from + 2 * pixel);
      store<u8>(to + 3 * pixel, clamped(y + red));
      store<u8>(to + 3 * pixel, clamped(y + green), 1);
      store<u8>(to + 3 * pixel, clamped(y + blue), 2);
    }
  }
}

// @ts-ignore: decorator
@inline
function clamped(value: i32): u8 {
  return <u8>max(0, min(255, value));
}

/**
 * A row of a Bayer mosaic to RGB, bilinear: each missing colour is the rounded mean of its two or four nearest. The first and
 * the last pixel are copies of those beside them.
 *
 * `row` is followed and preceded by its neighbours `pitch` bytes away; `green` is 1 where its first pixel is a green one;
 * `red` is not 0 where its other colour is red.
 */
export function demosaic(row: usize, pitch: usize, to: usize, width: i32, green: i32, red: i32): void {
  const even = i16x8.splat(0xff);
  const odd = i16x8.splat(<i16>0xff00);
  const two = i16x8.splat(2);
  // Each vector begins at a pixel of the row's colour: its even bytes are that colour, its odd ones green.
  for (let x = green; x < width - 1; x += 16) {
    const at = row + x;
    const above = v128.load(at - pitch);
    const below = v128.load(at + pitch);
    const left = v128.load(at - 1);
    const right = v128.load(at + 1);
    const own = v128.load(at);
    const across = i16x8.add(v128.and(left, even), v128.and(right, even));
    const down = i16x8.add(v128.and(above, even), v128.and(below, even));
    const cross = i16x8.shr_u(i16x8.add(i16x8.add(across, down), two), 2);
    const up = i16x8.add(v128.and(v128.load(at - pitch - 1), even), v128.and(v128.load(at - pitch + 1), even));
    const low = i16x8.add(v128.and(v128.load(at + pitch - 1), even), v128.and(v128.load(at + pitch + 1), even));
    const corners = i16x8.shr_u(i16x8.add(i16x8.add(up, low), two), 2);
    const g = v128.or(cross, v128.and(own, odd));
    const c = v128.bitselect(own, i8x16.avgr_u(left, right), even);
    const o = v128.or(corners, v128.and(i8x16.avgr_u(above, below), odd));
    if (red) storeRgb(to + 3 * x, c, g, o);
    else storeRgb(to + 3 * x, o, g, c);
  }
  copyPixel(to, to + 3);
  copyPixel(to + 3 * (width - 1), to + 3 * (width - 2));
}

// @ts-ignore: decorator
@inline
function copyPixel(to: usize, from: usize): void {
  store<u16>(to, load<u16>(from));
  store<u8>(to, load<u8>(from, 2), 2);
}

// @ts-ignore: decorator
@inline
function storeRgb(to: usize, r: v128, g: v128, b: v128): void {
  const first = v128.or(
    v128.or(i8x16.swizzle(r, i8x16(0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1, 5)), i8x16.swizzle(g, i8x16(-1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1))),
    i8x16.swizzle(b, i8x16(-1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1)),
  );
  v128.store(to, first, 0);
  const second = v128.or(
    v128.or(i8x16.swizzle(r, i8x16(-1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10, -1)), i8x16.swizzle(g, i8x16(5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10))),
    i8x16.swizzle(b, i8x16(-1, 5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1)),
  );
  v128.store(to, second, 16);
  const third = v128.or(
    v128.or(i8x16.swizzle(r, i8x16(-1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1, -1)), i8x16.swizzle(g, i8x16(-1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1))),
    i8x16.swizzle(b, i8x16(10, -1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15)),
  );
  v128.store(to, third, 32);
}
