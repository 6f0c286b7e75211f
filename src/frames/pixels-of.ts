import type { OperationOptions } from '../abort.js';
import { PictureDecoder } from './decoding/picture-decoder.js';
import { headerOf } from './encoded-header.js';
import { checkPixels, resolveMeta } from './image-meta.js';
import type { FrameMeta, ImageInput } from './types.js';

/**
 * A copy of an image's pixels, decoded if need be: for what is kept, not for a call.
 *
 * @throws RunnerError `invalid_image`, `unsupported_image`, `unsupported_color_space`, `frame_released`, `aborted`
 */
export async function pixelsOf(
  image: ImageInput,
  { signal }: OperationOptions = {},
): Promise<{ data: Uint8Array } & Required<FrameMeta>> {
  if ('encoded' in image) {
    const header = headerOf(image);
    const decoder = new PictureDecoder();
    try {
      const data = await decoder.decode({ ...header, bytes: image.encoded }, signal);
      return { ...resolveMeta({ ...image, channels: header.channels }), data };
    } finally {
      await decoder.close();
    }
  }
  const { pixels, meta } = 'data' in image ? { pixels: image.data, meta: image } : image;
  const resolved = resolveMeta(meta);
  checkPixels(pixels, resolved);
  return { ...resolved, data: Uint8Array.from(pixels) };
}
