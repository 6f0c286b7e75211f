import { lazily } from '../../options.js';
import { readBmp } from './bmp.js';
import { readJpeg } from './jpeg.js';
import { otherFormat } from './other-formats.js';
import { readPng } from './png.js';
import { readTiff } from './tiff.js';
import type { EncodedHeader, HeaderFault } from './types.js';
import { readWebp } from './webp.js';

const kinds = /* @__PURE__ */ lazily(() => [
  { name: 'PNG', read: readPng, marks: [Buffer.from('\u0089PNG\r\n\u001a\n', 'latin1')] },
  { name: 'JPEG', read: readJpeg, marks: [Buffer.of(0xff, 0xd8)] },
  { name: 'BMP', read: readBmp, marks: [Buffer.from('BM', 'latin1')] },
  { name: 'TIFF', read: readTiff, marks: [Buffer.of(0x49, 0x49, 0x2a, 0), Buffer.of(0x4d, 0x4d, 0, 0x2a)] },
]);

/** Reads the header alone: whether the rest is whole is found when it is decoded. */
export function readEncodedHeader(image: Uint8Array): EncodedHeader | HeaderFault {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
  const kind = kindOf(bytes);
  try {
    if (kind) return kind.read(bytes);
    if (isWebp(bytes)) return readWebp(bytes);
  } catch (error) {
    // A read past the end, of a length or a place that the header names.
    if (error instanceof RangeError) return { fault: 'is cut off within its header, or damaged' };
    throw error;
  }
  const name = otherFormat(bytes);
  const known = name === undefined ? 'is' : `is ${name}, and`;
  const remedy =
    name === undefined ? '. Pixels are handed over as { data, width, height }' : ': save it as one of them';
  return { fault: `${known} neither a JPEG, a PNG, a BMP, a TIFF nor a WebP${remedy}` };
}

/** The format that bytes begin as; undefined where they are no picture of ours. */
export function formatOf(image: Uint8Array): string | undefined {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
  return kindOf(bytes)?.name ?? (isWebp(bytes) ? 'WebP' : undefined);
}

function kindOf(bytes: Buffer) {
  return kinds().find(({ marks }) => marks.some((mark) => bytes.subarray(0, mark.length).equals(mark)));
}

function isWebp(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WEBP';
}
