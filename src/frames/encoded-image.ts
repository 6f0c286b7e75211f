/**
 * What a host must know of a JPEG or PNG before a worker is given it: its size, and that it is whole. The SDK's reader
 * takes an image that Pillow cannot decode for a black one, and says nothing.
 */
import { crc32 } from '../package/crc32.js';

/** What was found: the size, or what stands in the way. */
export type EncodedReading = { width: number; height: number } | { fault: string };

const PNG_SIGNATURE = Buffer.from('\u0089PNG\r\n\u001a\n', 'latin1');
/** PNG specification, chunk layout: length (uint32 big-endian), type (4 bytes), data, CRC (uint32 big-endian). */
const PNG_CHUNK_BYTES = 12;
const IHDR_BYTES = 13;
/** Colour types of gray, RGB and RGBA; palettes would be handed on as their indices, gray with alpha as two channels. */
const PNG_COLOUR_TYPES = new Set([0, 2, 6]);

/** Reads the header and checks that the image is complete. */
export function readEncoded(image: Uint8Array): EncodedReading {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
  if (bytes.subarray(0, PNG_SIGNATURE.length).equals(PNG_SIGNATURE)) return readPng(bytes);
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return readJpeg(bytes);
  return { fault: 'is neither a JPEG nor a PNG' };
}

function readPng(bytes: Buffer): EncodedReading {
  let size: { width: number; height: number } | undefined;
  for (let at = PNG_SIGNATURE.length; at + PNG_CHUNK_BYTES <= bytes.length;) {
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString('latin1', at + 4, at + 8);
    const end = at + PNG_CHUNK_BYTES + length;
    if (end > bytes.length) break;
    if (crc32(bytes.subarray(at + 4, end - 4)) !== bytes.readUInt32BE(end - 4)) {
      return { fault: `is a damaged PNG: the checksum of its ${type} does not agree` };
    }
    if (type === 'IHDR' && length === IHDR_BYTES) {
      const [depth = 0, colourType = -1] = bytes.subarray(at + 16, at + 18);
      if (depth !== 8 || !PNG_COLOUR_TYPES.has(colourType)) {
        return { fault: 'is a PNG with a palette, or not of 8 bits a channel: save it as 8-bit gray or RGB' };
      }
      size = { width: bytes.readUInt32BE(at + 8), height: bytes.readUInt32BE(at + 12) };
    }
    if (type === 'IEND') return size ?? { fault: 'is a PNG without a header' };
    at = end;
  }
  return { fault: 'is a PNG that ends early' };
}

/** Markers (ITU-T T.81, table B.1): start of frame is 0xC0 to 0xCF without DHT, JPG and DAC. */
const SOF_FIRST = 0xc0;
const SOF_LAST = 0xcf;
const NOT_SOF = new Set([0xc4, 0xc8, 0xcc]);
const START_OF_SCAN = 0xda;
const END_OF_IMAGE = Buffer.from([0xff, 0xd9]);

function readJpeg(bytes: Buffer): EncodedReading {
  let size: { width: number; height: number } | undefined;
  for (let at = 2; at + 4 <= bytes.length;) {
    if (bytes[at] !== 0xff) return { fault: 'is a damaged JPEG: a marker is not where it should be' };
    const marker = bytes[at + 1] ?? 0;
    if (marker === 0xff) {
      at++; // fill bytes
      continue;
    }
    const end = at + 2 + bytes.readUInt16BE(at + 2);
    if (end > bytes.length) break;
    if (marker >= SOF_FIRST && marker <= SOF_LAST && !NOT_SOF.has(marker) && end - at >= 10) {
      if (bytes[at + 4] !== 8) return { fault: 'is a JPEG that is not of 8 bits a channel' };
      size = { height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) };
    }
    if (marker === START_OF_SCAN) {
      if (bytes.lastIndexOf(END_OF_IMAGE) < end) break;
      return size ?? { fault: 'is a JPEG without a frame header' };
    }
    at = end;
  }
  return { fault: 'is a JPEG that ends early' };
}
