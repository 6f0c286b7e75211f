import { open } from 'node:fs/promises';
import { types } from 'node:util';
import { throwIfAborted, type OperationOptions } from '../abort.js';
import { describe } from '../options.js';
import { readEncodedHeader } from './encoded-image.js';
import { checkMeta, invalidImage } from './image-meta.js';
import { checkToEightBits, layoutOf } from './pixels/layout.js';
import type { Layout } from './pixels/source.js';
import type { EncodedInput } from './types.js';

/** Bytes of a file or a Blob, at most: it is read as a whole. */
const MOST_BYTES = 512 * 1024 * 1024;

/** A whole picture and what its header says, before anything is decoded. */
export interface EncodedPicture {
  format: 'JPEG' | 'PNG';
  bytes: Uint8Array;
  width: number;
  height: number;
  channels: 1 | 3;
  /** Of the pixels that are decoded. */
  layout: Layout;
}

/** Checks what can be checked without reading the picture. @throws RunnerError `invalid_image`, `unsupported_color_space` */
export function checkEncoded(image: EncodedInput): void {
  checkMeta(image);
  const { orientation, toEightBits } = image;
  if (orientation !== undefined && !['apply', 'ignore'].includes(orientation)) {
    throw invalidImage(
      `orientation must be 'apply' or 'ignore', not ${describe(orientation)}`,
      'orientation',
    );
  }
  if (toEightBits !== undefined) checkToEightBits(toEightBits);
  if ('file' in image) {
    if (typeof image.file === 'string' && image.file !== '') return;
    throw invalidImage(`file must be the path of a picture, not ${describe(image.file)}`, 'file');
  }
  if (types.isUint8Array(image.encoded) || image.encoded instanceof Blob) return;
  throw invalidImage(
    `encoded must be a Uint8Array or a Blob with a whole picture, not ${describe(image.encoded)}`,
    'encoded',
  );
}

/**
 * Reads a picture and its header.
 *
 * @throws RunnerError `invalid_image` when the picture cannot be used, or is not what the call says of it
 */
export async function readEncoded(
  image: EncodedInput,
  { signal }: OperationOptions,
): Promise<EncodedPicture> {
  checkEncoded(image);
  const field = 'file' in image ? 'file' : 'encoded';
  const bytes = await bytesOf(image);
  throwIfAborted(signal, 'read a picture');
  const header = readEncodedHeader(bytes);
  if ('fault' in header) throw invalidImage(`${field} ${header.fault}`, field);
  const { width = header.width, height = header.height, channels = header.channels } = image;
  if (header.width !== width || header.height !== height) {
    throw invalidImage(
      `${field} is of ${header.width} x ${header.height} pixels, the call says ${width} x ${height}`,
      field,
    );
  }
  if (channels !== header.channels) {
    throw invalidImage(
      `${field} has ${header.channels} channel${header.channels === 1 ? '' : 's'}, the call says ${channels}: leave channels out`,
      'channels',
    );
  }
  const { colorSpace, cameraId, timestampMs } = image;
  return {
    ...header,
    bytes,
    layout: layoutOf({ width, height, channels, colorSpace, cameraId, timestampMs }),
  };
}

async function bytesOf(image: EncodedInput): Promise<Uint8Array> {
  if ('file' in image) return readBounded(image.file);
  if (types.isUint8Array(image.encoded)) return image.encoded;
  const { encoded } = image as { encoded: Blob };
  checkLength(encoded.size, 'encoded');
  return new Uint8Array(await encoded.arrayBuffer());
}

async function readBounded(file: string): Promise<Uint8Array> {
  try {
    await using handle = await open(file, 'r');
    const found = await handle.stat();
    if (!found.isFile()) throw invalidImage(`${file} is not a file`, 'file');
    checkLength(found.size, 'file');
    return await handle.readFile();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).syscall === undefined) throw cause;
    throw invalidImage(`file cannot be read: ${(cause as Error).message}`, 'file');
  }
}

function checkLength(bytes: number, field: string): void {
  if (bytes <= MOST_BYTES) return;
  throw invalidImage(`${field} has ${bytes} bytes, and a picture may have ${MOST_BYTES}`, field);
}
