import { Readable, Transform } from 'node:stream';
import type { Busboy as BusboyParser } from '@fastify/busboy';
import { printable } from '../package/text.js';
import { mediaType, RAW_TYPES } from './body.js';
import { RequestFault } from './problem.js';

const MAX_NAME = 200;

/** A package as it arrives. */
export interface Upload {
  stream: Readable;
  /** What its sender calls it, where that is told. */
  fileName?: string;
}

/** Whether the request carries a package itself, raw or as multipart. */
export function isUpload(request: Request): boolean {
  const type = mediaType(request);
  return RAW_TYPES.includes(type) || type === 'multipart/form-data';
}

/**
 * The bytes of an uploaded package as a stream that is never held whole. It fails when more than `maxBytes` arrive,
 * when the body is cut off, and when the multipart body is malformed or has no file in it.
 */
export async function openUpload(request: Request, maxBytes: number): Promise<Upload> {
  const tooLarge = () =>
    new RequestFault(
      'payload_too_large',
      `The upload is larger than the ${maxBytes} bytes this server takes`,
    );
  const declared = Number(request.headers.get('content-length') ?? 0);
  // A multipart body is a little longer than its file; the file itself is counted as it arrives.
  if (declared > maxBytes + 64 * 1024) throw tooLarge();
  if (!request.body) throw new RequestFault('bad_request', 'The body is empty');
  const body = Readable.fromWeb(request.body);
  const { stream, fileName } =
    mediaType(request) === 'multipart/form-data' ? await filePart(request, body) : { stream: body };
  return { stream: bounded(stream, maxBytes, tooLarge), fileName };
}

function bounded(source: Readable, maxBytes: number, tooLarge: () => Error): Readable {
  let received = 0;
  const counter = silenced(
    new Transform({
      transform(chunk: Buffer, _encoding, done) {
        received += chunk.length;
        done(received > maxBytes ? tooLarge() : null, chunk);
      },
      destroy(error, done) {
        source.destroy();
        done(error);
      },
    }),
  );
  source.once('error', (error) => {
    const cutOff = new RequestFault('bad_request', `The upload was cut off: ${error.message}`);
    counter.destroy(error instanceof RequestFault ? error : cutOff);
  });
  source.once('close', () => {
    if (!source.readableEnded) counter.destroy(new RequestFault('bad_request', 'The upload was cut off'));
  });
  return source.pipe(counter);
}

/** The first file of a multipart body. Busboy is loaded when the first such body comes. */
async function filePart(request: Request, body: Readable): Promise<Upload> {
  const { Busboy } = await import('@fastify/busboy');
  const malformed = (cause: unknown) =>
    new RequestFault('bad_request', `The multipart body is malformed: ${(cause as Error).message}`);
  let parser: BusboyParser;
  try {
    parser = new Busboy({
      headers: { 'content-type': request.headers.get('content-type') ?? '' },
      limits: { files: 1, fields: 16, fieldSize: 4096, parts: 17 },
    });
  } catch (cause) {
    throw malformed(cause);
  }
  return new Promise<Upload>((resolve, reject) => {
    let part: Readable | undefined;
    const fail = (cause: unknown) => {
      part?.destroy(malformed(cause));
      reject(malformed(cause));
    };
    parser.on('file', (_field, stream, fileName: string | undefined) => {
      part = silenced(stream);
      // It comes from outside, and goes into messages alone.
      resolve({ stream: part, fileName: fileName ? printable(fileName).slice(0, MAX_NAME) : undefined });
    });
    // The parser and the body may each fail more than once.
    parser.on('error', fail);
    body.on('error', fail);
    body.once('close', () => {
      if (!body.readableEnded) fail(new Error('the upload was cut off'));
    });
    parser.once('finish', () => {
      reject(new RequestFault('bad_request', 'The multipart body has no file in it'));
    });
    body.pipe(parser);
  });
}

/** A stream whose failure is told when it is read: one that fails before that must not end the process. */
function silenced<S extends Readable>(stream: S): S {
  return stream.on('error', () => undefined);
}
