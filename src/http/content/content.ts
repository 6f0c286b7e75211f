import { RunnerError } from '../../errors.js';
import { RequestFault } from '../problem.js';
import type { Call } from '../types.js';
import { readRange } from './range.js';
import type { ContentDoor } from './served.js';

/** GET /content/index.json: the packages that this station has whole. */
export async function contentIndex(call: Call): Promise<Response> {
  const served = await doorOf(call).open();
  return Response.json(await served.list({ signal: call.request.signal }));
}

/** GET /content/packages/\{digest\}: the manifest of a package. @throws RunnerError `not_found` */
export async function contentManifest(call: Call): Promise<Response> {
  const { digest = '' } = call.params;
  const served = await doorOf(call).open();
  const text = await served.manifest(digest, { signal: call.request.signal });
  if (!text) throw notHere('package', digest);
  if (isKnown(call, digest)) return new Response(null, { status: 304, headers: headersOf(digest) });
  return new Response(new Uint8Array(text), {
    headers: {
      ...headersOf(digest),
      'content-type': 'text/plain; charset=utf-8',
      'content-length': String(text.length),
    },
  });
}

/**
 * GET /content/blobs/\{sha256\}: content, from the byte on that `Range` names. The stream breaks off before its end where the content
 * is not what its digest says.
 *
 * @throws RunnerError `not_found`, `queue_full`
 */
export async function contentBlob(call: Call): Promise<Response> {
  const { sha256 = '' } = call.params;
  const { request } = call;
  const door = doorOf(call);
  const served = await door.open();
  const blob = await served.blob(sha256, { signal: request.signal });
  if (!blob) throw notHere('content', sha256);
  const headers = { ...headersOf(sha256), 'accept-ranges': 'bytes' };
  if (isKnown(call, sha256)) return new Response(null, { status: 304, headers });
  const { sizeBytes } = blob;
  const range = readRange(request.headers, sizeBytes, etagOf(sha256));
  if (range === 'beyond') {
    return new Response(null, {
      status: 416,
      headers: { ...headers, 'content-range': `bytes */${sizeBytes}` },
    });
  }
  door.checkRoom();
  const { from, to } = range ?? { from: 0, to: sizeBytes - 1 };
  const length = Math.max(0, to - from + 1);
  const content = upTo(blob.read(from, request.signal), length);
  return new Response(streamOf(door.transfer(content)), {
    status: range ? 206 : 200,
    headers: {
      ...headers,
      'content-type': 'application/octet-stream',
      'content-length': String(length),
      ...(range && { 'content-range': `bytes ${from}-${to}/${sizeBytes}` }),
    },
  });
}

/** @throws RequestFault `not_served` */
function doorOf({ options: { contents } }: Call): ContentDoor {
  if (contents) return contents;
  throw new RequestFault(
    'not_served',
    'This server gives no packages to others: give createRunnerHandler the option content, or serve the flag --source',
  );
}

function notHere(what: string, digest: string): RunnerError {
  return new RunnerError(
    'not_found',
    `This station does not have the ${what} ${digest} whole: ask another source`,
    {
      details: { path: digest },
    },
  );
}

const etagOf = (digest: string) => `"${digest}"`;

/** What a digest names never changes. A proxy must not compress it: the receiver counts its bytes. */
function headersOf(digest: string): Record<string, string> {
  return { etag: etagOf(digest), 'cache-control': 'private, max-age=31536000, immutable, no-transform' };
}

function isKnown({ request }: Call, digest: string): boolean {
  const known = (request.headers.get('if-none-match') ?? '')
    .split(',')
    .map((tag) => tag.trim().replace(/^W\//, ''));
  return known.includes(etagOf(digest)) || known.includes('*');
}

/** The first bytes of content, the last of them once all of it was read and found right. */
async function* upTo(chunks: AsyncIterable<Buffer>, most: number): AsyncGenerator<Buffer, void, undefined> {
  let left = most;
  let held: Buffer | undefined;
  for await (const chunk of chunks) {
    if (left === 0) continue;
    if (held) yield held;
    held = chunk.subarray(0, left);
    left -= held.length;
  }
  if (held) yield held;
}

/** A reader that takes nothing for so long gives its place to another. */
const STALLED_MS = 60_000;

/** Nothing is opened before somebody reads: a HEAD reads nothing. */
function streamOf(chunks: AsyncGenerator<Buffer, void, undefined>): ReadableStream<Uint8Array> {
  let timer: NodeJS.Timeout | undefined;
  const end = async () => {
    clearTimeout(timer);
    await chunks.return();
  };
  return new ReadableStream(
    {
      async pull(controller) {
        clearTimeout(timer);
        const { done, value } = await chunks.next();
        if (done === true) {
          controller.close();
          return;
        }
        timer = setTimeout(() => {
          controller.error(new Error('the reader takes nothing'));
          end().catch(() => undefined);
        }, STALLED_MS);
        timer.unref();
        controller.enqueue(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}
