import type { PixelFormat, ToEightBits } from './pixels/formats.js';
import type { ProvenImage } from './proof.js';

/** A rectangle of a picture, in pixels. */
export interface ImageRegion {
  /** Its first column, from 0. */
  x: number;
  /** Its first row, from 0. */
  y: number;
  /** Columns. */
  width: number;
  /** Rows. */
  height: number;
}

/** How pixels lie in memory. */
export interface PixelLayout {
  /**
   * Name of the format in GenICam's Pixel Format Naming Convention. Values of more than 8 bits are little-endian; YUV422_8 is
   * Y0 U Y1 V in the full range; a Bayer name tells the first two pixels of the picture's first row.
   * @defaultValue by `channels` and `colorSpace`: `Mono8`, `RGB8` or `BGR8`
   */
  pixelFormat?: PixelFormat;
  /** Bytes from the start of one row to that of the next. The last row may end without its padding. @defaultValue no padding */
  strideBytes?: number;
  /** The part of the picture that is sent; `width` and `height` are those of the whole. @defaultValue all of it */
  region?: ImageRegion;
  /** Whether the last row of the picture lies first in memory, as in a Windows bitmap. @defaultValue false */
  bottomUp?: boolean;
  /**
   * How values of more than 8 bits become 8, and no rule is assumed: `'shift'` drops the lowest bits, `{ min, max }` spreads the
   * values from `min` to `max` over 0 to 255, rounded. Formats of 8 bits need none. A version that takes the values as they are
   * gets them so, whatever the rule: an algorithm that runs under the bundled worker, with the format or `Mono16` in `image_formats` of its
   * manifest. Every other version gets 8 bits by the rule, and without a rule the picture is refused.
   */
  toEightBits?: ToEightBits;
}

/** What the algorithm receives about an image (`image_meta` on the wire). */
export interface ImageMeta {
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  /** Unix time in milliseconds. */
  timestamp_ms: number;
  /** Which camera took it. */
  camera_id: string;
  /** Order of the channels. */
  color_space?: 'RGB' | 'BGR';
  /** Of the array, where it is not uint8. */
  dtype?: 'uint16';
  /** Of the array with that `dtype`: height and width. */
  shape?: [height: number, width: number];
  /** Format of the values with that `dtype`; a packed one is unpacked. */
  pixel_format?: PixelFormat;
  /** Bits of a value with that `dtype`: values are 0 to 2^bits - 1. */
  bits?: number;
}

/** Shape and origin of an image a host hands over. */
export interface FrameMeta extends PixelLayout {
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  /** Channels of a pixel. @defaultValue those of `pixelFormat`, else 3 */
  channels?: 1 | 3;
  /** Order of the channels in memory. @defaultValue that of `pixelFormat`, else 'RGB' */
  colorSpace?: 'RGB' | 'BGR';
  /** Which camera took it. @defaultValue 'camera' */
  cameraId?: string;
  /** Unix time in milliseconds. @defaultValue now */
  timestampMs?: number;
}

/** Shape and origin of an image, defaults filled in. */
export type FrameInfo = Required<Omit<FrameMeta, keyof PixelLayout>> & PixelLayout;

/** A slot of shared memory that holds one image. */
export interface Frame {
  /** Shared-memory id, safe as a file name: what the algorithm reads the image by. */
  readonly id: string;
  /**
   * The image as its format has it: height × width × channels bytes, row-major, where none was named. With a gray format of more
   * than 8 bits and no `toEightBits` the frame is of 16 bits, for versions that take such; `Mono16` is then the worker's own memory. Writable until the frame
   * is sent, and again when its calls have ended.
   *
   * @throws RunnerError `frame_released`; `closed` after the pool was closed
   */
  readonly pixels: Uint8Array;
  /** Shape and origin, defaults filled in. */
  readonly meta: Readonly<FrameInfo>;
  /** Gives the slot back. Twice is an error (`frame_released`). */
  release(): void;
}

/** What is said of a picture in a file format; its size and its channels stand in its header. */
export interface EncodedMeta {
  /** Pixels, as a check. @defaultValue as the header says */
  width?: number;
  /** Pixels, as a check. @defaultValue as the header says */
  height?: number;
  /** Channels, as a check. @defaultValue as the header says */
  channels?: 1 | 3;
  /** In which order its channels were encoded. @defaultValue 'RGB' */
  colorSpace?: 'RGB' | 'BGR';
  /** Which camera took it. @defaultValue 'camera' */
  cameraId?: string;
  /** Unix time in milliseconds. @defaultValue now */
  timestampMs?: number;
  /**
   * What a turn that the picture names for its display does (EXIF tag 0x0112): `apply` turns the pixels, `ignore` leaves them as
   * they were taken. The size is that of what comes out. @defaultValue 'apply'
   */
  orientation?: 'apply' | 'ignore';
  /**
   * How a picture of 16 bits becomes one of 8, as in {@link PixelLayout.toEightBits}: without it such a picture is refused, but where
   * the version takes its gray values as `Mono16`.
   */
  toEightBits?: ToEightBits;
  /**
   * Who decodes it. `'package'` hands the bytes of a JPEG or PNG on, and the Pillow of the package decodes them in the worker: less
   * work for the host, and pixels as that release of Pillow makes them. The header is read and damage is looked for here all the
   * same. Refused where the package has no Pillow, for 16 bits, `colorSpace: 'BGR'`, and a picture that asks to be turned, but
   * with `orientation: 'ignore'`. Otherwise the host decodes it. @defaultValue 'host'
   */
  decode?: 'host' | 'package';
}

/** Pixels as a host hands them over. */
export type PixelInput = {
  /** The pixels; copied, so that they are the caller's again once the call is answered. */
  data: ArrayBufferView | ArrayBuffer;
} & FrameMeta;

/** A picture in a file format as a host hands it over. */
export type EncodedInput = (
  | {
      /** A whole picture: JPEG or PNG; BMP; with the optional package `sharp` TIFF and WebP. It is decoded by the host. */
      encoded: Uint8Array | Blob;
    }
  | {
      /** Path of such a picture. */
      file: string;
    }
) &
  EncodedMeta;

/** An image as a host hands it over. */
export type ImageInput = PixelInput | EncodedInput | Frame;

/** How full a pool is. */
export interface FrameUsage {
  /** Slots made. */
  slots: number;
  /** Slots that nobody uses. */
  idle: number;
  /** Bytes of all slots. */
  bytes: number;
  /** Whether slots are memory that this process and its workers map; otherwise they are files. */
  mapped: boolean;
}

/** An image that a worker can find, until it is given back. */
export interface SentImage {
  /** Shared-memory id. */
  id: string;
  /** As a file it is `<id>.npy`, or `<id>.bin` when it is encoded. */
  kind: 'npy' | 'bin';
  /** What the algorithm receives about it. */
  meta: ImageMeta;
  /** Header and pixels, or the encoded bytes. */
  sizeBytes: number;
  /** Of the memory it is in, which the worker is handed; undefined where it has to open a file. */
  descriptor: number | undefined;
  /** What that memory is known by as long as it is there: other memory may have the same descriptor later. */
  lasting?: object | undefined;
  /** Name and bytes of the memory it is in, which the worker maps (Windows); undefined elsewhere. */
  memory?: { name: string; bytes: number } | undefined;
  /** The format that its values of 16 bits have; undefined for one of 8 bits. */
  wideFormat: PixelFormat | undefined;
  /** Whether the host has decoded it from a JPEG or PNG. */
  isDecoded: boolean;
  /** What a worker that reads it must report; undefined when nothing is to be proven. */
  proof?: ProvenImage;
  /**
   * Whether the worker cannot find it any more, because the pool was closed, or because the host has filled its frame anew after the
   * call: what it answers is worth nothing.
   */
  readonly isLost: boolean;
  /**
   * Makes sure that the file is whole in the folder of a worker that is not handed the memory.
   * @throws an error of the system
   */
  deliver: (place: string) => Promise<void>;
  /** A worker has read something else, or nothing: the file is made anew at the next delivery, however whole it looks. */
  renew: () => void;
  /**
   * The pixels as the worker reads them, row by row without padding; values of 16 bits are little-endian. To be looked at before the event
   * loop goes on: later they may be another picture's. Undefined for a picture that the package decodes.
   */
  pixels: () => Uint8Array | undefined;
  /** Writes a copy of it to a file. @throws an error of the system; RunnerError `frame_released` where the host has filled it anew */
  save: (file: string) => Promise<void>;
  /** The call is over. With `until`, the slot stays untouched until that promise settles: a worker may still read it. */
  done: (until?: Promise<unknown>) => void;
}
