/** What the header of a JPEG or PNG says, read before anything is decoded: a picture that cannot be used is refused by it. */

/** Size and channels, or what stands in the way. */
export type EncodedHeader =
  { format: 'JPEG' | 'PNG'; width: number; height: number; channels: 1 | 3 } | { fault: string };

const PNG_SIGNATURE = Buffer.from('\u0089PNG\r\n\u001a\n', 'latin1');
/** PNG specification, chunk layout: length (uint32 big-endian), type (4 bytes), data, CRC (uint32 big-endian). */
const PNG_CHUNK_BYTES = 12;
const IHDR_BYTES = 13;
const PNG_GRAY = 0;
const PNG_RGB = 2;
const PNG_KINDS = new Map([
  [3, 'a palette'],
  [4, 'gray with transparency, of 2 channels'],
  [6, 'RGBA, of 4 channels'],
]);

/** Reads the header alone: whether the rest is whole is found when it is decoded. */
export function readEncodedHeader(image: Uint8Array): EncodedHeader {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
  if (bytes.subarray(0, PNG_SIGNATURE.length).equals(PNG_SIGNATURE)) return readPng(bytes);
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return readJpeg(bytes);
  return { fault: 'is neither a JPEG nor a PNG' };
}

function readPng(bytes: Buffer): EncodedHeader {
  const at = PNG_SIGNATURE.length;
  if (bytes.length < at + PNG_CHUNK_BYTES + IHDR_BYTES) return { fault: 'is a PNG that ends early' };
  if (bytes.readUInt32BE(at) !== IHDR_BYTES || bytes.toString('latin1', at + 4, at + 8) !== 'IHDR') {
    return { fault: 'is a damaged PNG: it does not begin with its header' };
  }
  const [depth = 0, colourType = -1] = bytes.subarray(at + 16, at + 18);
  const remedy = 'save it as 8-bit gray or RGB';
  if (colourType !== PNG_GRAY && colourType !== PNG_RGB) {
    return { fault: `is a PNG of ${PNG_KINDS.get(colourType) ?? `colour type ${colourType}`}: ${remedy}` };
  }
  if (depth !== 8) return { fault: `is a PNG of ${depth} bits a channel, not of 8 bits: ${remedy}` };
  return {
    format: 'PNG',
    width: bytes.readUInt32BE(at + 8),
    height: bytes.readUInt32BE(at + 12),
    channels: colourType === PNG_GRAY ? 1 : 3,
  };
}

/** Markers (ITU-T T.81, table B.1): start of frame is 0xC0 to 0xCF without DHT, JPG and DAC. */
const SOF_FIRST = 0xc0;
const SOF_LAST = 0xcf;
const NOT_SOF = new Set([0xc4, 0xc8, 0xcc]);
/** Baseline, extended sequential and progressive, all with Huffman's codes. */
const SOF_KNOWN = new Set([0xc0, 0xc1, 0xc2]);
const START_OF_SCAN = 0xda;

function readJpeg(bytes: Buffer): EncodedHeader {
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
      return readFrameHeader(bytes.subarray(at, end), marker);
    }
    if (marker === START_OF_SCAN) return { fault: 'is a JPEG without a frame header' };
    at = end;
  }
  return { fault: 'is a JPEG that ends early' };
}

function readFrameHeader(segment: Buffer, marker: number): EncodedHeader {
  if (!SOF_KNOWN.has(marker)) {
    return { fault: 'is a lossless or arithmetically coded JPEG: save it as baseline or progressive' };
  }
  const bits = segment[4] ?? 0;
  if (bits !== 8) return { fault: `is a JPEG of ${bits} bits a channel, not of 8 bits` };
  const channels = segment[9] ?? 0;
  if (channels !== 1 && channels !== 3) {
    const kind = channels === 4 ? ', as of CMYK' : '';
    return { fault: `is a JPEG of ${channels} channels${kind}: save it as gray or RGB` };
  }
  return { format: 'JPEG', height: segment.readUInt16BE(5), width: segment.readUInt16BE(7), channels };
}
