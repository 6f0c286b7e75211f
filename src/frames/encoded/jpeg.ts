import { orientationIn } from './exif.js';
import type { EncodedHeader, HeaderFault } from './types.js';

/** Markers (ITU-T T.81, table B.1): start of frame is 0xC0 to 0xCF without DHT, JPG and DAC. */
const SOF_FIRST = 0xc0;
const SOF_LAST = 0xcf;
const NOT_SOF = new Set([0xc4, 0xc8, 0xcc]);
/** Baseline, extended sequential and progressive, all with Huffman's codes. */
const SOF_KNOWN = new Set([0xc0, 0xc1, 0xc2]);
const START_OF_SCAN = 0xda;
/** Where EXIF data are: application marker 1, with this name. */
const APP1 = 0xe1;
const EXIF = 'Exif\0\0';

/** @throws RangeError when it ends early */
export function readJpeg(bytes: Buffer) {
  let orientation = 1;
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
      return { ...readFrameHeader(bytes.subarray(at, end), marker), orientation };
    }
    if (marker === APP1 && bytes.toString('latin1', at + 4, at + 10) === EXIF) {
      orientation = orientationIn(bytes.subarray(at + 10, end));
    }
    if (marker === START_OF_SCAN) return { fault: 'is a JPEG without a frame header' };
    at = end;
  }
  return { fault: 'is a JPEG that ends early' };
}

function readFrameHeader(segment: Buffer, marker: number): Omit<EncodedHeader, 'orientation'> | HeaderFault {
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
  const height = segment.readUInt16BE(5);
  return { format: 'JPEG', height, width: segment.readUInt16BE(7), channels, bits: 8 };
}
