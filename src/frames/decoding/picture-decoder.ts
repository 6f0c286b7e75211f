import { RunnerError } from '../../errors.js';
import { pixelsOfBmp } from '../encoded/bmp.js';
import type { EncodedPicture } from '../encoded-input.js';
import { layoutOf, sourceOf } from '../pixels/layout.js';
import type { PixelSource } from '../pixels/source.js';
import { SharpDecoder } from './sharp-decoder.js';
import { ThreadDecoder } from './thread-decoder.js';

/**
 * Decodes pictures, each by the decoder that is right for it: PNG in a thread of our own, which finds every damage; JPEG there
 * or, where `sharp` is installed, by it, with the thread looking at the scans at the same time; TIFF and WebP by sharp; the
 * pixels of a BMP lie in the file.
 */
export class PictureDecoder {
  readonly #threads = new ThreadDecoder();
  readonly #usesSharp: boolean;
  #sharp: Promise<SharpDecoder | undefined> | undefined;

  /** @param usesSharp - where it is installed */
  constructor(usesSharp = true) {
    this.#usesSharp = usesSharp;
  }

  /**
   * The pixels, for a frame of the picture's layout.
   *
   * @throws RunnerError `invalid_image` for a damaged picture, `unsupported_image` when there is no decoder for it,
   * `aborted`, `closed`
   */
  async decode(picture: EncodedPicture, signal?: AbortSignal): Promise<PixelSource> {
    const { format, bytes, layout } = picture;
    if (format === 'BMP') {
      const { data, ...lies } = pixelsOfBmp(bytes);
      return sourceOf(data, layoutOf(lies));
    }
    const sharp =
      format === 'PNG' || !this.#usesSharp ? undefined : await (this.#sharp ??= SharpDecoder.load());
    if (sharp && format === 'JPEG') {
      const [source] = await Promise.all([
        sharp.decode(picture, signal),
        this.#threads.check(picture, signal),
      ]);
      return source;
    }
    if (sharp) return sharp.decode(picture, signal);
    if (format === 'JPEG' || format === 'PNG') {
      return sourceOf(await this.#threads.decode(picture, signal), layout);
    }
    throw new RunnerError(
      'unsupported_image',
      `A ${format === 'WEBP' ? 'WebP' : format} is decoded by the optional package sharp, which is not installed here, or not for ` +
        'this system: npm install sharp. JPEG, PNG and BMP need nothing',
    );
  }

  /**
   * Only looks for damage in a JPEG or PNG, without its pixels.
   *
   * @throws RunnerError as {@link PictureDecoder.decode}
   */
  check(picture: EncodedPicture, signal?: AbortSignal): Promise<void> {
    return this.#threads.check(picture, signal);
  }

  /** Ends all threads; what they are at ends with `closed`. */
  close(): Promise<void> {
    return this.#threads.close();
  }
}
