import { throwIfAborted } from '../../abort.js';
import { loadPeer } from '../../assets.js';
import type { EncodedPicture } from '../encoded-input.js';
import { formats } from '../pixels/formats.js';
import { sourceOf } from '../pixels/layout.js';
import type { PixelSource } from '../pixels/source.js';
import { damaged } from './thread-decoder.js';

/** The part of sharp that is used here. It is an optional peer dependency. */
type Sharp = (image: Uint8Array, options: object) => Pipeline;
interface Pipeline {
  removeAlpha(): Pipeline;
  toColourspace(space: string): Pipeline;
  raw(options: { depth: 'uchar' | 'ushort' }): Pipeline;
  toBuffer(options: { resolveWithObject: true }): Promise<{ data: Buffer; info: Decoded }>;
}
interface Decoded {
  width: number;
  height: number;
  channels: number;
}

/** Decodes JPEG, TIFF and WebP by libvips, in its own threads. */
export class SharpDecoder {
  readonly #sharp: Sharp;

  private constructor(sharp: Sharp) {
    this.#sharp = sharp;
  }

  /** Undefined where sharp is not installed, or not for this system. */
  static async load(load: () => unknown = () => loadPeer('sharp')): Promise<SharpDecoder | undefined> {
    try {
      const module = (await load()) as { default?: unknown };
      return new SharpDecoder((module.default ?? module) as Sharp);
    } catch {
      return undefined;
    }
  }

  /** @throws RunnerError `invalid_image` for a damaged picture, `aborted` */
  async decode(picture: EncodedPicture, signal: AbortSignal | undefined): Promise<PixelSource> {
    const { bytes, bits, channels, layout } = picture;
    throwIfAborted(signal, 'decode a picture');
    // Values as they are in the file: no colour profile is applied. Without `grey16` values of 16 bits would come as 8.
    const eight = channels === 1 ? 'b-w' : 'srgb';
    const sixteen = channels === 1 ? 'grey16' : 'rgb16';
    const pipeline = this.#sharp(bytes, {
      ...{
        failOn: picture.hasUnnamedChannel ? 'error' : 'warning',
        ignoreIcc: true,
        autoOrient: picture.turn !== 1,
      },
      limitInputPixels: picture.width * picture.height,
    })
      .removeAlpha()
      .toColourspace(bits === 16 ? sixteen : eight)
      .raw({ depth: bits === 16 ? 'ushort' : 'uchar' });
    const { data, info } = await pipeline.toBuffer({ resolveWithObject: true }).catch((error: unknown) => {
      throw damaged(picture, `cannot be decoded: ${(error as Error).message}`);
    });
    throwIfAborted(signal, 'decode a picture');
    const { width, height } = layout.frame;
    if (info.width !== width || info.height !== height || info.channels !== channels) {
      throw damaged(
        picture,
        `gives ${info.width} x ${info.height} x ${info.channels}, not what its header says`,
      );
    }
    return bits === 16 && layout.depth === 8 ? narrowedSource(data, picture) : sourceOf(data, layout);
  }
}

/** Values of 16 bits in the machine's order; for narrowing each channel is a pixel of its own. */
function narrowedSource(data: Buffer, { layout, channels, toEightBits }: EncodedPicture): PixelSource {
  const format = formats().get('Mono16');
  if (!format) throw new Error('Mono16 is gone');
  const { height } = layout.frame;
  const width = layout.frame.width * channels;
  return {
    ...{ bytes: data, format, width, height, origin: 0, step: 2 * width, toEightBits, depth: 8 },
    region: { x: 0, y: 0, width, height },
  };
}
