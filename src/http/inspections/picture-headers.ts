import { formats, type PixelFormat, type ToEightBits } from '../../frames/pixels/formats.js';
import type { FrameMeta } from '../../frames/types.js';
import { shown } from '../../package/text.js';
import { RequestFault } from '../problem.js';

/** Sides of a picture, as everywhere in the library. */
const LARGEST_SIDE = 65_535;
/** Bytes of a row. */
const LARGEST_STRIDE = 2 ** 29;

/** Headers that say how pixels lie in a raw body. */
export const PICTURE_HEADERS = [
  'x-image-width',
  'x-image-height',
  'x-image-format',
  'x-image-stride',
  'x-image-to-eight-bits',
] as const;

/** What a picture in a file format may have beside it, too. */
const OF_BOTH = 'x-image-to-eight-bits';

/** Whether a request says of pixels how they lie. */
export function hasPictureHeaders({ headers }: Request): boolean {
  return PICTURE_HEADERS.some((name) => name !== OF_BOTH && headers.has(name));
}

/**
 * How the pixels of a raw body lie: `X-Image-Width`, `X-Image-Height`, `X-Image-Format` (a name of GenICam's Pixel Format Naming
 * Convention, RGB8 where it is left out), `X-Image-Stride` in bytes, and for more than 8 bits `X-Image-To-Eight-Bits`:
 * `shift`, or `0-4095` for the values that become 0 and 255.
 *
 * @throws RequestFault `bad_request` naming the header
 */
export function readPictureHeaders({ headers }: Pick<Request, 'headers'>): FrameMeta {
  const side = (name: string): number => {
    const value = readWhole(headers, name, LARGEST_SIDE);
    if (value !== undefined) return value;
    throw wrong(
      name,
      'is missing: a raw body needs X-Image-Width, X-Image-Height and X-Image-Format. A picture in a file format is sent as image/jpeg or image/png',
    );
  };
  checkNames(headers);
  const strideBytes = readWhole(headers, 'X-Image-Stride', LARGEST_STRIDE);
  const toEightBits = readToEightBits({ headers });
  return {
    width: side('X-Image-Width'),
    height: side('X-Image-Height'),
    pixelFormat: readFormat(headers.get('X-Image-Format') ?? 'RGB8'),
    ...(strideBytes !== undefined && { strideBytes }),
    ...(toEightBits !== undefined && { toEightBits }),
  };
}

/**
 * Beside a picture in a file format they say nothing that the picture does not, and are not to be wrong all the same.
 *
 * @throws RequestFault `bad_request` naming the header
 */
export function checkPictureHeaders({ headers }: Pick<Request, 'headers'>): void {
  checkNames(headers);
  for (const side of ['X-Image-Width', 'X-Image-Height']) readWhole(headers, side, LARGEST_SIDE);
  readWhole(headers, 'X-Image-Stride', LARGEST_STRIDE);
  const format = headers.get('X-Image-Format');
  if (format !== null) readFormat(format);
}

/** What is left unread of how pixels lie, such as `X-Image-Pixel-Format: BGR8`, makes them another picture. */
function checkNames(headers: Headers): void {
  const known: readonly string[] = PICTURE_HEADERS;
  for (const name of headers.keys()) {
    if (!name.startsWith('x-image-') || known.includes(name)) continue;
    throw wrong(name, `is not known here. Known are ${known.join(', ')}`);
  }
}

function readWhole(headers: Headers, name: string, most: number): number | undefined {
  const given = headers.get(name);
  if (given === null) return undefined;
  const value = /^\d{1,9}$/.test(given) ? Number(given) : 0;
  if (value >= 1 && value <= most) return value;
  throw wrong(name, `must be a whole number from 1 to ${most}, not ${shown(given)}`);
}

function readFormat(given: string): PixelFormat {
  if (formats().has(given)) return given as PixelFormat;
  throw wrong('X-Image-Format', `must be one of ${[...formats().keys()].join(', ')}, not ${shown(given)}`);
}

/** `X-Image-To-Eight-Bits`, of pixels and of a picture in a file format. @throws RequestFault `bad_request` */
export function readToEightBits({ headers }: Pick<Request, 'headers'>): ToEightBits | undefined {
  const given = headers.get('X-Image-To-Eight-Bits');
  if (given === null) return undefined;
  if (given === 'shift') return 'shift';
  const [, min, max] = /^(\d{1,5})-(\d{1,5})$/.exec(given) ?? [];
  if (min !== undefined && max !== undefined && Number(min) < Number(max)) {
    return { min: Number(min), max: Number(max) };
  }
  throw wrong('X-Image-To-Eight-Bits', `must be shift, or two values such as 0-4095, not ${shown(given)}`);
}

function wrong(header: string, fault: string): RequestFault {
  return new RequestFault('bad_request', `${header}: ${fault}`);
}
