import { orientationIn } from './exif.js';
import type { EncodedHeader, HeaderFault } from './types.js';

/** RIFF: name (4 bytes), length (uint32 little-endian), data, padded to an even length. */
const CHUNK_BYTES = 8;
const FIRST_CHUNK = 12;
/** Of a VP8X chunk: the picture moves. */
const ANIMATION = 0x02;

/**
 * The header of a WebP (RFC 9649).
 *
 * @throws RangeError when it ends early
 */
export function readWebp(bytes: Buffer): EncodedHeader | HeaderFault {
  const chunks = chunksOf(bytes);
  const [extended, lossy, lossless] = [chunks.get('VP8X'), chunks.get('VP8 '), chunks.get('VP8L')];
  if (extended && (extended.readUInt8(0) & ANIMATION) !== 0) {
    return { fault: 'is a WebP of several pictures: save a single picture' };
  }
  const size = lossy
    ? { width: lossy.readUInt16LE(6) & 0x3fff, height: lossy.readUInt16LE(8) & 0x3fff }
    : lossless && losslessSize(lossless.readUInt32LE(1));
  if (!size) return { fault: 'is a WebP without a picture, or ends early' };
  return {
    ...{ format: 'WEBP', ...size, channels: 3, bits: 8 },
    orientation: orientationIn(chunks.get('EXIF')),
  };
}

function losslessSize(bits: number): { width: number; height: number } {
  return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
}

function chunksOf(bytes: Buffer): Map<string, Buffer> {
  const chunks = new Map<string, Buffer>();
  for (let at = FIRST_CHUNK; at + CHUNK_BYTES <= bytes.length;) {
    const length = bytes.readUInt32LE(at + 4);
    const name = bytes.toString('latin1', at, at + 4);
    if (!chunks.has(name)) chunks.set(name, bytes.subarray(at + CHUNK_BYTES, at + CHUNK_BYTES + length));
    at += CHUNK_BYTES + length + (length % 2);
  }
  return chunks;
}
