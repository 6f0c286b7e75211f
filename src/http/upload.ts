import { Readable } from 'node:stream';
import { RAW_TYPES } from './body.js';
import { RequestFault } from './problem.js';
import { mediaType } from './request-headers.js';
import { timedChunks, type BodyPace } from './timed-body.js';

/** What a multipart body may have besides its file: heads of parts, a few fields, boundaries. */
const MAX_AROUND_FILE_BYTES = 64 * 1024;

/** A package as it arrives. */
export interface Upload {
  stream: Readable;
  /** File name as its sender calls it, where given. */
  fileName?: string;
}

/** How much of an upload is taken, and how it may arrive. */
export interface UploadBounds extends BodyPace {
  maxUploadBytes: number;
}

/** Whether the request carries a package itself, raw or as multipart. */
export function isUpload(request: Request): boolean {
  const type = mediaType(request);
  return RAW_TYPES.includes(type) || type === 'multipart/form-data';
}

/**
 * The bytes of an uploaded package as a stream that is never held whole. It fails when more than `maxUploadBytes`
 * arrive, when they stop or come too slowly, when the body is cut off, and when a multipart body is malformed or has not
 * exactly one file in it.
 */
export async function openUpload(
  request: Request,
  { maxUploadBytes, ...pace }: UploadBounds,
): Promise<Upload> {
  const tooLarge = () =>
    new RequestFault(
      'payload_too_large',
      `The upload is larger than the ${maxUploadBytes} bytes this server takes`,
    );
  const isMultipart = mediaType(request) === 'multipart/form-data';
  const maxBytes = isMultipart ? maxUploadBytes + MAX_AROUND_FILE_BYTES : maxUploadBytes;
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge();
  if (!request.body) throw new RequestFault('bad_request', 'The body is empty');
  const stop = new AbortController();
  const body = timedChunks(request, { ...pace, maxBytes, tooLarge, stop: stop.signal });
  if (!isMultipart) return { stream: streamOf(body, stop) };
  const { openFilePart } = await import('./multipart.js');
  const { chunks, fileName } = await openFilePart(request, body, {
    ...{ maxFileBytes: maxUploadBytes, maxAroundBytes: MAX_AROUND_FILE_BYTES, tooLarge },
  });
  return { stream: streamOf(chunks, stop), fileName };
}

/**
 * The chunks as a stream that can be destroyed while the next is waited for: `Readable.from` would wait for it. The
 * reader gets its failure: an error without a reader must not end the process.
 */
function streamOf(chunks: AsyncGenerator<Uint8Array, void, undefined>, stop: AbortController): Readable {
  const stream = new Readable({
    read() {
      const give = ({ done, value }: IteratorResult<Uint8Array, void>) => {
        if (!stream.destroyed) stream.push(done === true ? null : value);
      };
      chunks.next().then(give, (error: unknown) => stream.destroy(error as Error));
    },
    destroy(error, done) {
      stop.abort(error);
      chunks.return().catch(() => undefined);
      done(error);
    },
  });
  return stream.on('error', () => undefined);
}
