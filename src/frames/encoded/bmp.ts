import type { FrameMeta } from '../types.js';
import type { EncodedHeader, HeaderFault } from './types.js';

/** Of the file: its mark, its size, two reserved numbers, and where the pixels begin. */
const FILE_HEADER_BYTES = 14;
const UNCOMPRESSED = 0;
const BITFIELDS = [3, 6];
/** Blue, green and red in the lower three bytes of four, as pixels without masks have them. */
const USUAL_MASKS = [0x00ff0000, 0x0000ff00, 0x000000ff];

/** A Windows bitmap, as its header describes it. */
interface Bitmap {
  width: number;
  height: number;
  bottomUp: boolean;
  pixelBits: number;
  /** Where its rows begin. */
  offset: number;
  strideBytes: number;
  /** Red, green and blue of each value; undefined where pixels are colours themselves. */
  palette: Buffer | undefined;
}

/** @throws RangeError when it ends early */
export function readBmp(bytes: Buffer): EncodedHeader | HeaderFault {
  const bitmap = describeBmp(bytes);
  if ('fault' in bitmap) return bitmap;
  const { width, height, offset, strideBytes, palette, pixelBits } = bitmap;
  if (offset + strideBytes * height > bytes.length) return { fault: 'is a BMP that ends early' };
  const channels = palette && isGray(palette) ? 1 : 3;
  const order = pixelBits === 24 ? { order: 'BGR' as const } : {};
  return { format: 'BMP', width, height, channels, bits: 8, orientation: 1, ...order };
}

/**
 * The pixels of a bitmap whose header was read, and how they lie: within the file, unless they have a palette.
 */
export function pixelsOfBmp(image: Uint8Array): { data: Uint8Array } & FrameMeta {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
  const bitmap = describeBmp(bytes);
  if ('fault' in bitmap) throw new Error(bitmap.fault);
  const { width, height, bottomUp, pixelBits, offset, strideBytes, palette } = bitmap;
  const data = bytes.subarray(offset, offset + strideBytes * height);
  if (!palette) {
    return { data, width, height, bottomUp, strideBytes, pixelFormat: pixelBits === 24 ? 'BGR8' : 'BGRa8' };
  }
  const gray = isGray(palette);
  const channels = gray ? 1 : 3;
  const out = new Uint8Array(width * height * channels);
  const mask = 2 ** pixelBits - 1;
  for (let row = 0, to = 0; row < height; row++) {
    const start = (bottomUp ? height - 1 - row : row) * strideBytes;
    for (let column = 0; column < width; column++) {
      const bit = column * pixelBits;
      const value = ((data[start + (bit >> 3)] ?? 0) >> (8 - pixelBits - (bit & 7))) & mask;
      for (let channel = 0; channel < channels; channel++) out[to++] = palette[value * 3 + channel] ?? 0;
    }
  }
  return { data: out, width, height, pixelFormat: gray ? 'Mono8' : 'RGB8' };
}

function describeBmp(bytes: Buffer): Bitmap | HeaderFault {
  const headerBytes = bytes.readUInt32LE(FILE_HEADER_BYTES);
  if (headerBytes < 40 || headerBytes > 1024) return { fault: 'is a BMP of OS/2: save it as one of Windows' };
  const [width, tall] = [bytes.readInt32LE(18), bytes.readInt32LE(22)];
  const height = Math.abs(tall);
  const pixelBits = bytes.readUInt16LE(28);
  const compression = bytes.readUInt32LE(30);
  if (width < 1 || height < 1) return { fault: `is a BMP of ${width} x ${height} pixels` };
  if (compression !== UNCOMPRESSED && !(BITFIELDS.includes(compression) && hasUsualMasks(bytes, pixelBits))) {
    return { fault: 'is a BMP that is compressed, or has its colours in other bits: save it as 24 bits' };
  }
  if (![1, 4, 8, 24, 32].includes(pixelBits)) {
    return { fault: `is a BMP of ${pixelBits} bits a pixel: save it as 8, 24 or 32` };
  }
  const palette = pixelBits <= 8 ? paletteOf(bytes, FILE_HEADER_BYTES + headerBytes, pixelBits) : undefined;
  const strideBytes = Math.ceil((width * pixelBits) / 32) * 4;
  return {
    width,
    height,
    bottomUp: tall > 0,
    pixelBits,
    offset: bytes.readUInt32LE(10),
    strideBytes,
    palette,
  };
}

function hasUsualMasks(bytes: Buffer, pixelBits: number): boolean {
  const masks = [54, 58, 62].map((at) => bytes.readUInt32LE(at));
  return pixelBits === 32 && masks.every((mask, index) => mask === USUAL_MASKS[index]);
}

/** Entries are blue, green, red and nothing. A value that the palette does not have is black. */
function paletteOf(bytes: Buffer, at: number, pixelBits: number): Buffer {
  const most = 2 ** pixelBits;
  const count = Math.min(bytes.readUInt32LE(46) || most, most);
  const palette = Buffer.alloc(3 * most);
  for (let index = 0; index < count; index++) {
    for (let channel = 0; channel < 3; channel++) {
      palette[3 * index + channel] = bytes.readUInt8(at + 4 * index + 2 - channel);
    }
  }
  return palette;
}

function isGray(palette: Buffer): boolean {
  for (let at = 0; at < palette.length; at += 3) {
    if (palette[at] !== palette[at + 1] || palette[at] !== palette[at + 2]) return false;
  }
  return true;
}
