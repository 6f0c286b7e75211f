import { readEncodedHeader } from './encoded-image.js';
import { invalidImage } from './image-meta.js';
import type { ImageInput } from './types.js';

/** @throws RunnerError `invalid_image` when the picture cannot be used, or is not what the call says of it */
export function headerOf({ encoded, width, height, channels }: Extract<ImageInput, { encoded: Uint8Array }>) {
  const header = readEncodedHeader(encoded);
  if ('fault' in header) throw invalidImage(`encoded ${header.fault}`, 'encoded');
  if (header.width !== width || header.height !== height) {
    throw invalidImage(
      `encoded is of ${header.width} x ${header.height} pixels, the call says ${width} x ${height}`,
      'encoded',
    );
  }
  if (channels !== undefined && channels !== header.channels) {
    throw invalidImage(
      `encoded has ${header.channels} channel${header.channels === 1 ? '' : 's'}, the call says ${channels}: leave channels out`,
      'channels',
    );
  }
  return header;
}
