import type { Readable } from 'node:stream';
import { Busboy } from '@fastify/busboy';
import { printable } from '../package/text.js';
import { PARAMETERS } from './query.js';
import { RequestFault } from './problem.js';

const MAX_NAME = 200;
const MAX_FIELDS = 16;

/** Encodings of a part that leave its bytes as they are (RFC 2045, 6.2). */
const PLAIN_ENCODINGS = ['7bit', '8bit', 'binary'];

/** What of a multipart body is taken. */
export interface FilePartBounds {
  maxFileBytes: number;
  /** Of everything in the body that is not the file. */
  maxAroundBytes: number;
  tooLarge: () => RequestFault;
}

/** The file of a multipart body, as it arrives. */
export interface FilePart {
  chunks: AsyncGenerator<Uint8Array, void, undefined>;
  fileName: string | undefined;
}

/**
 * The one file of a multipart body. Its chunks end when the whole body has come and nothing is wrong with it: a second
 * file, or a field with options, is found after the first as well as before it.
 *
 * @throws RequestFault `bad_request`, `payload_too_large`, and what `body` throws
 */
export function openFilePart(
  request: Request,
  body: AsyncGenerator<Uint8Array, void, undefined>,
  bounds: FilePartBounds,
): Promise<FilePart> {
  const reading = new MultipartReading(bounds);
  void reading.take(request.headers.get('content-type') ?? '', body);
  return reading.file;
}

class MultipartReading {
  readonly file: Promise<FilePart>;
  readonly #bounds: FilePartBounds;
  #giveFile: (file: FilePart) => void = () => undefined;
  #refuse: (fault: unknown) => void = () => undefined;
  /** Fulfilled when the whole body was read, rejected with the first fault. */
  readonly #whole: Promise<void>;
  #end: () => void = () => undefined;
  #part: Readable | undefined;
  #fault: { cause: unknown } | undefined;
  /** Resolves when the parser stops. It wakes a writer that waits for a drain that never comes. */
  readonly #stopped: Promise<void>;
  #isStopped = false;
  #wake: () => void = () => undefined;
  #fileBytes = 0;

  constructor(bounds: FilePartBounds) {
    this.#bounds = bounds;
    let failWhole: (fault: unknown) => void = () => undefined;
    let failFile: (fault: unknown) => void = () => undefined;
    this.file = new Promise((resolve, reject) => {
      this.#giveFile = resolve;
      failFile = reject;
    });
    this.#whole = new Promise((resolve, reject) => {
      this.#end = resolve;
      failWhole = reject;
    });
    this.#whole.catch(() => undefined); // the reader of the file gets it
    this.#stopped = new Promise((resolve) => (this.#wake = resolve));
    this.#refuse = (cause) => {
      failWhole(cause);
      failFile(cause);
    };
  }

  /** Reads the body to its end, or to the first fault. Never rejects. */
  async take(contentType: string, body: AsyncGenerator<Uint8Array, void, undefined>): Promise<void> {
    try {
      const parser = this.#makeParser(contentType);
      const finished = new Promise<void>((resolve) => parser.once('finish', resolve));
      let received = 0;
      for await (const chunk of body) {
        const around = received - this.#fileBytes - (this.#part?.readableLength ?? 0);
        if (around > this.#bounds.maxAroundBytes) {
          throw fault(`more than ${this.#bounds.maxAroundBytes} bytes of it are not the file`);
        }
        received += chunk.byteLength;
        const taken = new Promise<void>((resolve) => {
          parser.write(chunk, () => {
            resolve();
          });
        });
        await Promise.race([taken, this.#stopped]);
        if (this.#fault) throw this.#fault.cause;
        if (this.#isStopped) return; // the file is wanted no more, nor the rest
      }
      parser.end();
      await Promise.race([finished, this.#stopped]);
      if (this.#fault) throw this.#fault.cause;
      if (!this.#part) throw new RequestFault('bad_request', 'The multipart body has no file in it');
      this.#end();
    } catch (cause) {
      this.#fail(cause);
    }
  }

  #makeParser(contentType: string): InstanceType<typeof Busboy> {
    let parser: InstanceType<typeof Busboy>;
    try {
      parser = new Busboy({
        headers: { 'content-type': contentType },
        limits: { files: 1, fields: MAX_FIELDS, fieldSize: 4096, parts: MAX_FIELDS + 1 },
      });
    } catch (cause) {
      throw malformed(cause);
    }
    parser.on('file', (_field, stream, name: string | undefined, encoding: string) => {
      this.#part = stream.on('error', () => undefined);
      if (!PLAIN_ENCODINGS.includes(encoding)) {
        this.#fail(fault(`its file is encoded as ${printable(encoding)}: send it as it is`));
        return;
      }
      // The name comes from outside, and goes into messages alone.
      const fileName = name ? printable(name).slice(0, MAX_NAME) : undefined;
      this.#giveFile({ chunks: this.#fileChunks(stream), fileName });
    });
    parser.on('field', (name: string) => {
      if (PARAMETERS.has(name.toLowerCase())) {
        this.#fail(fault(`${printable(name)} is a field of it: it is taken from the query of the address`));
      }
    });
    parser.on('filesLimit', () => {
      this.#fail(fault('it has more than one file'));
    });
    for (const event of ['fieldsLimit', 'partsLimit'] as const) {
      parser.on(event, () => {
        this.#fail(fault(`it has more than ${MAX_FIELDS} fields`));
      });
    }
    // The parser may fail more than once.
    parser.on('error', (cause: unknown) => {
      this.#fail(malformed(cause));
    });
    return parser;
  }

  async *#fileChunks(part: Readable): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const chunk of part as AsyncIterable<Uint8Array>) {
        this.#fileBytes += chunk.byteLength;
        if (this.#fileBytes > this.#bounds.maxFileBytes) throw this.#bounds.tooLarge();
        yield chunk;
      }
      await this.#whole;
    } catch (error) {
      throw this.#fault ? this.#fault.cause : error;
    } finally {
      // The reader of the file may have stopped early.
      this.#stop();
    }
  }

  #stop(): void {
    this.#isStopped = true;
    this.#wake();
  }

  #fail(cause: unknown): void {
    this.#fault ??= { cause };
    this.#refuse(this.#fault.cause);
    this.#part?.destroy(this.#fault.cause as Error);
    this.#stop();
  }
}

function fault(what: string): RequestFault {
  return new RequestFault('bad_request', `The multipart body is not taken: ${what}`);
}

function malformed(cause: unknown): RequestFault {
  return new RequestFault('bad_request', `The multipart body is malformed: ${(cause as Error).message}`);
}
