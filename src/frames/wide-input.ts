import { formats, isTaken } from './pixels/formats.js';
import type { ImageInput, SentImage } from './types.js';

/**
 * Whether an image that was sent to one version with 8 bits a value may have more for a version that takes these formats: then it
 * is another picture there. It can have become one of 8 bits by its `toEightBits` alone, and a frame has the depth that it was
 * leased with. Of a file it is not known how many it has.
 */
export function mayBeWider(
  sent: SentImage | undefined,
  given: ImageInput | 'same' | undefined,
  imageFormats: readonly string[],
): boolean {
  if (!sent || sent.wideFormat !== undefined || !given || given === 'same' || 'pixels' in given) return false;
  if (imageFormats.length === 0 || given.toEightBits === undefined) return false;
  if (!('data' in given)) return imageFormats.includes('Mono16');
  const format = formats().get(given.pixelFormat ?? '');
  return format !== undefined && isTaken(format, imageFormats);
}
