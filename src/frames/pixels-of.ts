import type { OperationOptions } from '../abort.js';
import { checkImage } from './check-image.js';
import { PictureDecoder } from './decoding/picture-decoder.js';
import { readEncoded } from './encoded-input.js';
import { convertInto } from './pixels/convert.js';
import { layoutOf, sourceOf } from './pixels/layout.js';
import type { Layout, PixelSource } from './pixels/source.js';
import type { EncodedInput, FrameInfo, ImageInput } from './types.js';

/**
 * A copy of an image's pixels as a frame has them, decoded if need be: for what is kept, not for a call.
 *
 * @throws RunnerError `invalid_image`, `unsupported_image`, `unsupported_color_space`, `frame_released`, `aborted`
 */
export async function pixelsOf(
  image: ImageInput,
  o: OperationOptions & {
    /** Decodes; it stays the caller's. @defaultValue one of its own */
    decoder?: PictureDecoder;
  } = {},
): Promise<{ data: Uint8Array } & FrameInfo> {
  checkImage(image);
  if ('encoded' in image || 'file' in image) return decodedPixels(image, o);
  const layout = layoutOf('pixels' in image ? image.meta : image, []);
  return converted(sourceOf('pixels' in image ? image.pixels : image.data, layout), layout);
}

async function decodedPixels(
  image: EncodedInput,
  { signal, decoder: given }: OperationOptions & { decoder?: PictureDecoder },
) {
  const picture = await readEncoded(image, { signal });
  const decoder = given ?? new PictureDecoder();
  try {
    return converted(await decoder.decode(picture, signal), picture.layout);
  } finally {
    if (!given) await decoder.close();
  }
}

function converted(source: PixelSource, layout: Layout) {
  const { width, height, channels } = layout.frame;
  const data = new Uint8Array(width * height * channels);
  convertInto(data, source);
  return { ...layout.frame, data };
}
