import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { types } from 'node:util';
import { settleOrAbort, throwIfAborted, type OperationOptions } from '../abort.js';
import { describe } from '../options.js';
import { readEncodedHeader } from './encoded/header.js';
import type { EncodedHeader } from './encoded/types.js';
import { checkMeta, invalidImage } from './image-meta.js';
import type { ToEightBits } from './pixels/formats.js';
import { checkToEightBits, layoutOf } from './pixels/layout.js';
import type { Layout } from './pixels/source.js';
import type { EncodedInput } from './types.js';

/** Bytes of a file or a Blob, at most: it is read as a whole. */
const MOST_BYTES = 512 * 1024 * 1024;

/** A whole picture and what its header says, before anything is decoded. */
export interface EncodedPicture extends EncodedHeader {
  bytes: Uint8Array;
  /** Its path, or `encoded`, for messages. */
  title: string;
  /** How it is to be turned when it is decoded: 1 leaves it as it is. */
  turn: number;
  /** How values of 16 bits become 8. */
  toEightBits: ToEightBits;
  /** Of a value of the pixels that are decoded. */
  depth: 8 | 16;
  /** Of the pixels that are decoded. */
  layout: Layout;
}

/** From here on a turn makes rows of columns. */
const FIRST_TRANSPOSED = 5;

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
  const { decode } = image;
  if (decode !== undefined && !['host', 'package'].includes(decode)) {
    throw invalidImage(`decode must be 'host' or 'package', not ${describe(decode)}`, 'decode');
  }
  if ('file' in image) {
    if (typeof image.file === 'string' && image.file !== '') return;
    const hint = (image.file as unknown) instanceof URL ? ': fileURLToPath() of node:url gives its path' : '';
    throw invalidImage(`file must be the path of a picture, not ${describe(image.file)}${hint}`, 'file');
  }
  if (types.isUint8Array(image.encoded) || image.encoded instanceof Blob) return;
  const given: unknown = image.encoded;
  const hint =
    typeof given === 'string'
      ? ': a path goes into { file }'
      : types.isAnyArrayBuffer(given) || ArrayBuffer.isView(given)
        ? ': new Uint8Array() of its buffer makes one'
        : '';
  throw invalidImage(
    `encoded must be a Uint8Array or a Blob with a whole picture, not ${describe(given)}${hint}`,
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
  { signal, imageFormats = [] }: OperationOptions & { imageFormats?: readonly string[] },
): Promise<EncodedPicture> {
  checkEncoded(image);
  const title = 'file' in image ? image.file : 'encoded';
  // A disk that hangs, or a Blob that never comes, ends with the call.
  const bytes = await settleOrAbort(signal, bytesOf(image));
  throwIfAborted(signal, 'read a picture');
  const header = readEncodedHeader(bytes);
  if ('fault' in header) throw invalidImage(`${title} ${header.fault}`, title);
  const turn = image.orientation === 'ignore' ? 1 : header.orientation;
  const [width, height] =
    turn >= FIRST_TRANSPOSED ? [header.height, header.width] : [header.width, header.height];
  checkDeclared(image, { ...header, width, height, turn }, title);
  const { toEightBits, cameraId, timestampMs } = image;
  const isWide = header.bits === 16 && header.channels === 1 && imageFormats.includes('Mono16');
  if (header.bits === 16 && toEightBits === undefined && !isWide) {
    throw invalidImage(
      `${title} is a ${header.format} of 16 bits a channel, and an algorithm gets 8${header.channels === 1 ? ' without Mono16 in image_formats of its manifest and the bundled worker' : ''}: say toEightBits: 'shift' (the lowest 8 are ` +
        'dropped) or toEightBits: { min, max } (those values become 0 and 255). Of a command it is --to-eight-bits, over HTTP the header X-Image-To-Eight-Bits',
      'toEightBits',
    );
  }
  // Both orders turn the channels: together neither does.
  const isTurned = (image.colorSpace === 'BGR') !== (header.order === 'BGR');
  const colorSpace = isTurned ? 'BGR' : 'RGB';
  const { channels } = header;
  const common = { width, height, cameraId, timestampMs };
  const layout = isWide
    ? layoutOf({ ...common, pixelFormat: 'Mono16' }, imageFormats)
    : layoutOf({ ...common, channels, colorSpace });
  return { ...header, bytes, title, turn, toEightBits: toEightBits ?? 'shift', depth: layout.depth, layout };
}

function checkDeclared(image: EncodedInput, found: EncodedHeader & { turn: number }, title: string): void {
  const { width = found.width, height = found.height, channels = found.channels } = image;
  if (found.width !== width || found.height !== height) {
    const turned =
      found.turn === 1 ? '' : " when it is turned as it asks for (orientation: 'ignore' leaves it)";
    throw invalidImage(
      `${title} is of ${found.width} x ${found.height} pixels${turned}, the call says ${width} x ${height}: leave width and height out`,
      title,
    );
  }
  if (channels === found.channels) return;
  throw invalidImage(
    `${title} has ${found.channels} channel${found.channels === 1 ? '' : 's'}, the call says ${channels}: leave channels out`,
    'channels',
  );
}

async function bytesOf(image: EncodedInput): Promise<Uint8Array> {
  if ('file' in image) return readBounded(image.file);
  if (types.isUint8Array(image.encoded)) return image.encoded;
  const { encoded } = image as { encoded: Blob };
  checkLength(encoded.size, 'encoded');
  return new Uint8Array(await encoded.arrayBuffer());
}

/** A pipe without a writer is opened at once: to wait for one would hold a thread of Node, of which there are four, without limit. */
const AT_ONCE = constants.O_RDONLY | ((constants as Partial<typeof constants>).O_NONBLOCK ?? 0);

async function readBounded(file: string): Promise<Uint8Array> {
  try {
    await using handle = await open(file, AT_ONCE);
    const found = await handle.stat();
    if (!found.isFile()) throw invalidImage(`${file} is not a file`, file);
    checkLength(found.size, file);
    return await handle.readFile();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).syscall === undefined) throw cause;
    throw invalidImage(`${file} cannot be read: ${(cause as Error).message}`, file);
  }
}

function checkLength(bytes: number, field: string): void {
  if (bytes <= MOST_BYTES) return;
  throw invalidImage(`${field} has ${bytes} bytes, and a picture may have ${MOST_BYTES}`, field);
}
