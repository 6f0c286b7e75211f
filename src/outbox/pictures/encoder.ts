import { loadPeer } from '../../assets.js';
import { RunnerError } from '../../errors.js';
import { convertInto } from '../../frames/pixels/convert.js';
import { layoutOf, sourceOf } from '../../frames/pixels/layout.js';
import type { ImageRegion, PixelInput } from '../../frames/types.js';
import type { EncodedPicture, InspectedImage, PictureRules } from '../types.js';
import { cutoutsIn } from './cutouts.js';
import { blacken, swapRedAndBlue, type PlainPixels } from './masks.js';

/** The part of sharp that is used here. It is an optional peer dependency. */
type Sharp = (image: Uint8Array, options: object) => Pipeline;
interface Pipeline {
  removeAlpha(): Pipeline;
  toColourspace(space: 'srgb'): Pipeline;
  raw(): Pipeline;
  extract(region: { left: number; top: number; width: number; height: number }): Pipeline;
  resize(options: { width: number; height: number; fit: 'inside'; withoutEnlargement: true }): Pipeline;
  jpeg(options: { quality: number }): Pipeline;
  webp(options: { quality: number }): Pipeline;
  png(): Pipeline;
  toBuffer(options: { resolveWithObject: true }): Promise<{ data: Buffer; info: Encoded }>;
}
interface Encoded {
  width: number;
  height: number;
  channels: number;
}

/** A copy of a picture: what was given is the caller's again. */
export interface TakenImage {
  /** A whole file, or pixels. */
  pixels: Uint8Array | PlainPixels;
  cameraId: string | undefined;
}

/** Regions of a picture. */
export interface PictureParts {
  /** That must not leave, besides those of the rules. */
  masks?: readonly ImageRegion[] | undefined;
  /** That are cut out. */
  defects?: readonly ImageRegion[];
}

/** Copies a picture at once. @throws RunnerError `invalid_image` for pixels that are not as their layout says */
export function takeImage(image: InspectedImage): TakenImage {
  const pixels = 'encoded' in image ? Buffer.from(image.encoded) : plainCopy(image);
  return { pixels, cameraId: image.cameraId };
}

/** Pictures that may wait to be encoded. Each holds a copy of its pixels. */
const MOST_WAITING = 16;

/**
 * Makes files of pictures by libvips, on a thread of its own and one after the other: Node's other work on threads, such as files,
 * has theirs. The files have no metadata: libvips writes none unless it is asked to.
 */
export class PictureEncoder {
  readonly #sharp: Sharp;
  readonly #rules: PictureRules;
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  private constructor(sharp: Sharp, rules: PictureRules) {
    this.#sharp = sharp;
    this.#rules = rules;
  }

  /** @throws RunnerError `invalid_params` where sharp is not installed */
  static async load(
    rules: PictureRules,
    load: () => unknown = () => loadPeer('sharp'),
  ): Promise<PictureEncoder> {
    try {
      const module = (await load()) as { default?: unknown };
      return new PictureEncoder((module.default ?? module) as Sharp, rules);
    } catch (cause) {
      throw new RunnerError(
        'invalid_params',
        'Outbox.open(): pictures of NG verdicts are kept unless the rules say otherwise, and are encoded by the package sharp, which is ' +
          "not installed: npm install sharp, or keep none by pictures: { keep: 'none' }. Files that are encoded already need no sharp",
        { cause, details: { path: 'sharp' } },
      );
    }
  }

  /**
   * The picture, with the regions that must not leave blackened, its thumbnail, and its cut-outs.
   *
   * @throws RunnerError `queue_full` when too many wait, `invalid_image`
   */
  encode({ pixels, cameraId }: TakenImage, parts: PictureParts = {}): Promise<EncodedPicture[]> {
    if (this.#waiting >= MOST_WAITING) {
      throw new RunnerError(
        'queue_full',
        `${MOST_WAITING} pictures wait to be encoded: this one is given up`,
        {
          details: { path: 'image' },
        },
      );
    }
    this.#waiting++;
    const turn = this.#turn
      .then(() => this.#files(pixels, cameraId, parts))
      .finally(() => {
        this.#waiting--;
      });
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #files(
    given: Uint8Array | PlainPixels,
    cameraId: string | undefined,
    { masks = [], defects = [] }: PictureParts,
  ): Promise<EncodedPicture[]> {
    const pixels = given instanceof Uint8Array ? await this.#decoded(given) : given;
    blacken(pixels, [...(this.#rules.masks ?? []), ...masks]);
    const { width, height, channels } = pixels;
    const open = () => this.#sharp(pixels.data, { raw: { width, height, channels } });
    const side = this.#rules.thumbnail ?? 0;
    const small = { width: side, height: side, fit: 'inside', withoutEnlargement: true } as const;
    const wanted: { pipeline: Pipeline; as?: Pick<EncodedPicture, 'isThumbnail' | 'type'> }[] = [
      { pipeline: open() },
      ...(side > 0 ? [{ pipeline: open().resize(small), as: { isThumbnail: true } }] : []),
      ...cutoutsIn(pixels, defects, this.#rules).map(({ x, y, ...size }) => ({
        pipeline: open().extract({ left: x, top: y, ...size }),
        as: { type: 'roi_crop' as const },
      })),
    ];
    const files: EncodedPicture[] = [];
    for (const { pipeline, as } of wanted) {
      const { data, info } = await this.#formatted(pipeline).toBuffer({ resolveWithObject: true });
      // Such as the thumbnail of a small picture. The id of a picture is made of its bytes: a second would have the same.
      if (files.some(({ encoded }) => data.equals(encoded))) continue;
      files.push({
        encoded: data,
        contentType: `image/${this.#rules.format ?? 'jpeg'}`,
        width: info.width,
        height: info.height,
        ...as,
        ...(cameraId !== undefined && { cameraId }),
      });
    }
    return files;
  }

  #formatted(pipeline: Pipeline): Pipeline {
    const { format = 'jpeg', quality = 85 } = this.#rules;
    if (format === 'png') return pipeline.png();
    return format === 'webp' ? pipeline.webp({ quality }) : pipeline.jpeg({ quality });
  }

  /** The pixels of a file, turned as it asks to be: masks are in pixels of the picture that was inspected. */
  async #decoded(encoded: Uint8Array): Promise<PlainPixels> {
    try {
      const pipeline = this.#sharp(encoded, { autoOrient: true }).removeAlpha().toColourspace('srgb').raw();
      const { data, info } = await pipeline.toBuffer({ resolveWithObject: true });
      const { width, height, channels } = info;
      return { data, width, height, channels: channels === 1 ? 1 : 3 };
    } catch (cause) {
      throw new RunnerError('invalid_image', `A picture cannot be decoded: ${(cause as Error).message}`, {
        cause,
      });
    }
  }
}

/** Pixels as a frame of a worker has them: in the same way, so that the picture that was inspected is kept. */
function plainCopy(image: PixelInput): PlainPixels {
  const layout = layoutOf(image, []);
  const source = sourceOf(image.data, layout);
  const { width, height, channels, colorSpace } = layout.frame;
  // A new Uint8Array is filled with zeros first, which takes several times as long as the copy, in the caller's time.
  const data = Buffer.allocUnsafe(width * height * channels);
  convertInto(data, source);
  if (colorSpace === 'BGR' && channels === 3) swapRedAndBlue(data);
  return { data, width, height, channels };
}
