import { orientationIn } from './exif.js';

/** PNG specification, chunk layout: length (uint32 big-endian), type (4 bytes), data, CRC (uint32 big-endian). */
const CHUNK_BYTES = 12;
const SIGNATURE_BYTES = 8;
const IHDR_BYTES = 13;
/** By colour type: what a pixel has, and the depths that there are. */
const KINDS = new Map<number, { channels: 1 | 3; depths: readonly number[] }>([
  [0, { channels: 1, depths: [1, 2, 4, 8, 16] }],
  [2, { channels: 3, depths: [8, 16] }],
  [3, { channels: 3, depths: [1, 2, 4, 8] }],
  [4, { channels: 1, depths: [8, 16] }],
  [6, { channels: 3, depths: [8, 16] }],
]);

/** @throws RangeError when it ends early */
export function readPng(bytes: Buffer) {
  const at = SIGNATURE_BYTES;
  if (bytes.length < at + CHUNK_BYTES + IHDR_BYTES) return { fault: 'is a PNG that ends early' };
  if (bytes.readUInt32BE(at) !== IHDR_BYTES || bytes.toString('latin1', at + 4, at + 8) !== 'IHDR') {
    return { fault: 'is a damaged PNG: it does not begin with its header' };
  }
  const [depth = 0, colourType = -1] = bytes.subarray(at + 16, at + 18);
  const kind = KINDS.get(colourType);
  if (!kind?.depths.includes(depth)) {
    return { fault: `is a damaged PNG: there is no colour type ${colourType} of ${depth} bits` };
  }
  return {
    ...{ format: 'PNG' as const, width: bytes.readUInt32BE(at + 8), height: bytes.readUInt32BE(at + 12) },
    ...{ channels: kind.channels, bits: depth === 16 ? (16 as const) : (8 as const) },
    orientation: orientationIn(chunkOf(bytes, 'eXIf')),
  };
}

/** The first chunk of a type. */
function chunkOf(bytes: Buffer, wanted: string): Buffer | undefined {
  for (let at = SIGNATURE_BYTES; at + CHUNK_BYTES <= bytes.length;) {
    const length = bytes.readUInt32BE(at);
    if (bytes.toString('latin1', at + 4, at + 8) === wanted) return bytes.subarray(at + 8, at + 8 + length);
    at += CHUNK_BYTES + length;
  }
  return undefined;
}
