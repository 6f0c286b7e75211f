import type { EncodedMeta, ImageInput } from '../../frames/types.js';
import { shown } from '../../package/text.js';
import { inspectPicture } from '../../runner/inspect-picture.js';
import { isTraceparent } from '../../supervisor/calls/traceparent.js';
import type { InspectionResult, InspectionTarget } from '../../supervisor/types.js';
import { RequestFault } from '../problem.js';
import { QUERIES, readQuery } from '../query.js';
import { mediaType } from '../request-headers.js';
import { supervisorOf } from '../parts.js';
import { wholeResponse } from '../whole-response.js';
import type { Call } from '../types.js';
import { readForm, type Part } from './form.js';
import {
  checkPictureHeaders,
  hasPictureHeaders,
  PICTURE_HEADERS,
  readPictureHeaders,
  readToEightBits,
} from './picture-headers.js';
import { receiveWhole } from './receive.js';
import { redactedResult } from '../../runner/redacted-result.js';

/** Pictures in a file format; the first bytes tell the format itself. */
export const PICTURE_TYPES = ['image/jpeg', 'image/png', 'image/tiff', 'image/bmp', 'image/webp'];
const RAW = 'application/octet-stream';
const FORM = 'multipart/form-data';

/** How a picture in a file format is taken. */
type EncodedHow = Pick<EncodedMeta, 'orientation' | 'decode' | 'toEightBits'>;

/** What is to be inspected, and how. */
export interface PictureOrder {
  productId: string;
  image: ImageInput;
  guideImage?: ImageInput | 'same' | undefined;
  userParams?: Record<string, unknown> | undefined;
  stepIndex?: number | undefined;
  target?: InspectionTarget | undefined;
  /** What is left of the time of the request. */
  timeoutMs?: number | undefined;
}

/** POST /inspections/\{productId\}: one picture in, the InspectionResult out. */
export async function inspect(call: Call): Promise<Response> {
  const startedAt = performance.now();
  const { request, url, params, operator, options } = call;
  const { productId = '' } = params;
  supervisorOf(call, 'inspects nothing');
  const { step, timeoutMs, ...asked } = readQuery(url, QUERIES.inspect);
  const type = checkType(request);
  const meta = type === RAW ? readPictureHeaders(request) : undefined;
  const how = meta ? checkOfPixels(asked) : readHow(request, asked);
  using admitted = options.admission.enter();
  const body = await receiveWhole(request, {
    ...{ pace: options.pace, maxBytes: options.maxImageBytes, admitted, timeoutMs },
  });
  if (body.byteLength === 0) {
    throw new RequestFault('bad_request', 'body: is empty: send the picture, or a form with the part image');
  }
  const { answer, isKept } = await options.answers.once(
    {
      key: request.headers.get('idempotency-key'),
      scope: [operator ?? '', request.headers.get('authorization') ?? '', productId],
      content: [
        url.search,
        JSON.stringify([type, ...PICTURE_HEADERS.map((name) => request.headers.get(name))]),
        body,
      ],
    },
    async () => {
      const order = meta ? { image: { data: body, ...meta } } : await readPicture(request, type, body, how);
      const leftMs =
        timeoutMs === undefined ? undefined : Math.max(1, timeoutMs - (performance.now() - startedAt));
      const result = await runPicture(call, { ...order, productId, stepIndex: step, timeoutMs: leftMs });
      return JSON.stringify(redactedResult(result, options.registry.layout.root));
    },
  );
  return wholeResponse(answer, {
    headers: { 'content-type': 'application/json', ...(isKept && { 'idempotency-replayed': 'true' }) },
  });
}

/** Inspects it as `Runner.inspect` does, until the client goes away. @throws RunnerError as `Runner.inspect` */
export function runPicture(
  call: Call,
  { productId, image, ...order }: PictureOrder,
): Promise<InspectionResult> {
  const { registry } = call.options;
  const parts = { registry, supervisor: supervisorOf(call, 'inspects nothing') };
  const { signal, headers } = call.request;
  const given = headers.get('traceparent');
  // A value that cannot be read begins a new trace (W3C Trace Context, 3.2): no fault of the request.
  const traceparent = isTraceparent(given) ? given : undefined;
  return inspectPicture(parts, productId, image, { ...order, traceparent, signal });
}

function checkType(request: Request): string {
  const type = mediaType(request);
  if ([...PICTURE_TYPES, RAW, FORM].includes(type)) return type;
  const given = type === '' ? 'the request has no content-type' : `not ${type}`;
  throw new RequestFault(
    'unsupported_media_type',
    `This endpoint takes a picture as ${PICTURE_TYPES.join(', ')}, pixels as ${RAW} with X-Image-Width, X-Image-Height and X-Image-Format, or ${FORM} with the parts image, guide_image and params; ${given}`,
  );
}

/** @throws RequestFault `bad_request` for what pixels do not have: they lie as their headers say */
function checkOfPixels(asked: EncodedHow): EncodedHow {
  const [name] = Object.keys(asked);
  if (name === undefined) return {};
  throw new RequestFault(
    'bad_request',
    `${name}: is for a picture in a file format; leave it out where pixels are sent as ${RAW}`,
  );
}

/** How a picture in a file format is to be taken, of the query and of the headers. @throws RequestFault `bad_request` */
function readHow(request: Request, asked: EncodedHow): EncodedHow {
  checkPictureHeaders(request);
  const toEightBits = readToEightBits(request);
  return { ...asked, ...(toEightBits !== undefined && { toEightBits }) };
}

async function readPicture(
  request: Request,
  type: string,
  body: Uint8Array,
  how: EncodedHow,
): Promise<Pick<PictureOrder, 'image' | 'guideImage' | 'userParams'>> {
  if (type !== FORM) return { image: { encoded: body, ...how } };
  const {
    image,
    guide_image: guide,
    params,
  } = await readForm(request.headers.get('content-type') ?? '', body);
  if (!image) {
    throw new RequestFault(
      'bad_request',
      'image: is missing: the form needs a part of that name with the picture',
    );
  }
  return {
    image: pictureOf(image, request, how),
    ...(guide && { guideImage: isSame(guide) ? 'same' : pictureOf(guide, request, how) }),
    ...(params && { userParams: readParams(params) }),
  };
}

/** Pixels lie as the headers of the request say; without them a part is a picture in a file format. */
function pictureOf({ type, bytes }: Part, request: Request, how: EncodedHow): ImageInput {
  if (type === RAW && hasPictureHeaders(request)) return { data: bytes, ...readPictureHeaders(request) };
  return { encoded: bytes, ...how };
}

function isSame({ bytes }: Part): boolean {
  return bytes.length === 4 && bytes.toString('latin1') === 'same';
}

/** Parameters of the step, as an object of JSON. @throws RequestFault `bad_request` */
function readParams({ bytes }: Part): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new RequestFault('bad_request', `params: is not JSON: ${(error as Error).message}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new RequestFault('bad_request', `params: must be an object, not ${shown(JSON.stringify(value))}`);
}
