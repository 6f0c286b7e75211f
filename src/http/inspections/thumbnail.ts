import { encodePng } from '../../acceptance/drawing/png.js';
import { RunnerError } from '../../errors.js';
import type { Call } from '../types.js';

/** GET /thumbnails/\{requestId\}: the picture of a recent inspection, small, as a PNG. @throws RunnerError `not_found` */
export async function thumbnail({ params, options }: Call): Promise<Response> {
  const { requestId = '' } = params;
  const found = options.pictures.get(requestId);
  if (!found) {
    throw new RunnerError(
      'not_found',
      `No picture is kept of the inspection ${JSON.stringify(requestId)}: the last ones alone are, where the option thumbnails is not 0`,
      { details: { path: requestId } },
    );
  }
  const { width, height } = found.of;
  return new Response(new Uint8Array(await encodePng(found)), {
    headers: {
      'content-type': 'image/png',
      'cache-control': 'no-store',
      'x-image-width': String(width),
      'x-image-height': String(height),
    },
  });
}
