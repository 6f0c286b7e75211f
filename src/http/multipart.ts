import { printable } from '../package/text.js';
import { RAW_TYPES } from './body.js';
import { multipartParts, type MultipartPiece, type PartHead } from './multipart-parts.js';
import { RequestFault } from './problem.js';
import { PARAMETERS } from './query.js';

const MAX_FIELDS = 16;
/** Fields that hold the package also where they have no file name. */
const FILE_FIELDS = ['file', 'package'];

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
export async function openFilePart(
  request: Request,
  body: AsyncGenerator<Uint8Array, void, undefined>,
  bounds: FilePartBounds,
): Promise<FilePart> {
  const counter = new PartCounter(bounds);
  const pieces = multipartParts(request.headers.get('content-type') ?? '', counter.received(body));
  try {
    for (;;) {
      const { done, value } = await pieces.next();
      if (done) throw fault('has no file in it: send the package as the part file');
      if (value instanceof Uint8Array) continue; // of a field
      if (counter.isFile(value)) return { chunks: chunksOf(pieces, counter), fileName: value.fileName };
    }
  } catch (error) {
    await pieces.return();
    throw error;
  }
}

/** The bytes of the file, and then what comes behind it, which is looked through. */
async function* chunksOf(
  pieces: AsyncGenerator<MultipartPiece, void, undefined>,
  counter: PartCounter,
): AsyncGenerator<Uint8Array, void, undefined> {
  let isFile = true;
  for await (const piece of pieces) {
    if (!(piece instanceof Uint8Array)) isFile = counter.isFile(piece);
    else if (isFile) yield counter.ofFile(piece);
  }
}

/** Counts what comes, and refuses what is too much or not to be there. */
class PartCounter {
  readonly #bounds: FilePartBounds;
  #received = 0;
  #ofFile = 0;
  #fields = 0;
  #hasFile = false;

  constructor(bounds: FilePartBounds) {
    this.#bounds = bounds;
  }

  async *received(
    body: AsyncGenerator<Uint8Array, void, undefined>,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of body) {
      if (this.#received - this.#ofFile > this.#bounds.maxAroundBytes) {
        throw fault(`is not taken: more than ${this.#bounds.maxAroundBytes} bytes of it are not the file`);
      }
      this.#received += chunk.byteLength;
      yield chunk;
    }
  }

  ofFile(bytes: Uint8Array): Uint8Array {
    this.#ofFile += bytes.byteLength;
    if (this.#ofFile > this.#bounds.maxFileBytes) throw this.#bounds.tooLarge();
    return bytes;
  }

  /** Whether a part is the file. @throws RequestFault `bad_request` */
  isFile({ name, fileName, type }: PartHead): boolean {
    if (fileName !== undefined || RAW_TYPES.includes(type) || FILE_FIELDS.includes(name)) {
      if (this.#hasFile) throw fault('is not taken: it has more than one file');
      this.#hasFile = true;
      return true;
    }
    this.#fields += 1;
    if (this.#fields > MAX_FIELDS) throw fault(`is not taken: it has more than ${MAX_FIELDS} fields`);
    if (PARAMETERS.has(name.toLowerCase())) {
      throw fault(
        `is not taken: ${printable(name)} is a field of it: it is taken from the query of the address`,
      );
    }
    return false;
  }
}

function fault(what: string): RequestFault {
  return new RequestFault('bad_request', `body: the form ${what}`);
}
