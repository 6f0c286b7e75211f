import { printable, shown } from '../package/text.js';
import { RequestFault } from './problem.js';

/**
 * Reads `multipart/form-data` (RFC 7578, RFC 2046) piece by piece. Own code, because `@fastify/busboy` 3.2.0 does not take blanks
 * behind a boundary, and does not finish for a form whose last line comes in a chunk of its own.
 */

const CRLF = '\r\n';
const END_OF_HEAD = '\r\n\r\n';
const DASHES = '--';
/** Bytes of a part's head, and of the blanks that a line of a boundary may end in. */
const MOST_HEAD_BYTES = 16 * 1024;
const MOST_BLANKS = 256;
/** Letters of a boundary at most (RFC 2046, 5.1.1). */
const MOST_BOUNDARY = 70;
const MOST_NAME = 200;

/** Encodings of a part that leave its bytes as they are (RFC 2045, 6.2). */
const PLAIN_ENCODINGS = ['7bit', '8bit', 'binary'];

/** What the head of a part says. */
export interface PartHead {
  /** Of the field; it comes from outside, and is fit for a message. */
  name: string;
  /** What the sender calls the file, fit for a message. */
  fileName: string | undefined;
  /** Media type in small letters, without parameters. @defaultValue text/plain */
  type: string;
}

/** The head of a part, then its bytes in pieces, then the head of the next. */
export type MultipartPiece = PartHead | Uint8Array;

type Chunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * The parts of a multipart body, in the order in which they come. It ends when the last boundary and all that is behind it
 * have come.
 *
 * @throws RequestFault `bad_request`; and what `body` throws
 */
export async function* multipartParts(
  contentType: string,
  body: Chunks,
): AsyncGenerator<MultipartPiece, void, undefined> {
  const delimiter = Buffer.from(`${CRLF}${DASHES}${boundaryOf(contentType)}`, 'latin1');
  // The first boundary may stand at the very beginning: it is looked for as if a line had ended before.
  let rest: Buffer = Buffer.from(CRLF);
  let state: 'before' | 'line' | 'head' | 'bytes' | 'behind' = 'before';
  for await (const chunk of body) {
    if (state === 'behind') continue;
    rest = rest.length === 0 ? viewOf(chunk) : Buffer.concat([rest, chunk]);
    for (let isShort = false; !isShort;) {
      if (state === 'line') {
        const end = endOfLine(rest);
        if (end === undefined) isShort = true;
        else if (end === 'last') [state, isShort] = ['behind', true];
        else [state, rest] = ['head', rest.subarray(end)];
      } else if (state === 'head') {
        // A part without a head begins with the empty line that ends it.
        const end = rest.indexOf(END_OF_HEAD);
        if (end > MOST_HEAD_BYTES || (end < 0 && rest.length > MOST_HEAD_BYTES)) {
          throw malformed(`the head of a part has more than ${MOST_HEAD_BYTES} bytes`);
        }
        if (end < 0) isShort = true;
        else {
          yield readHead(rest.subarray(CRLF.length, Math.max(CRLF.length, end)));
          [state, rest] = ['bytes', rest.subarray(end + END_OF_HEAD.length)];
        }
      } else {
        const at = rest.indexOf(delimiter);
        const upTo = at < 0 ? beginOfDelimiter(rest, delimiter) : at;
        if (state === 'bytes' && upTo > 0) yield rest.subarray(0, upTo);
        rest = rest.subarray(at < 0 ? upTo : at + delimiter.length);
        if (at < 0) isShort = true;
        else state = 'line';
      }
    }
  }
  if (state !== 'behind') throw malformed('it ends before its last boundary');
}

/** The boundary that the media type names. @throws RequestFault `bad_request` */
function boundaryOf(contentType: string): string {
  const [, quoted, plain] = /;[ \t]*boundary=(?:"([^"]*)"|([^;\s"]+))/i.exec(contentType) ?? [];
  const boundary = quoted ?? plain ?? '';
  if (boundary !== '' && boundary.length <= MOST_BOUNDARY) return boundary;
  throw malformed(`content-type names no boundary of 1 to ${MOST_BOUNDARY} characters`);
}

/** Where the line of a boundary ends, or that it was the last; undefined while too little has come to know. */
function endOfLine(bytes: Buffer): number | 'last' | undefined {
  if (bytes.length < DASHES.length) return undefined;
  if (bytes.toString('latin1', 0, DASHES.length) === DASHES) return 'last';
  let at = 0;
  while (bytes[at] === 0x20 || bytes[at] === 0x09) at += 1;
  if (at > MOST_BLANKS) throw malformed(`the line of a boundary ends in more than ${MOST_BLANKS} blanks`);
  if (bytes.length < at + CRLF.length) return undefined;
  if (bytes.toString('latin1', at, at + CRLF.length) === CRLF) return at;
  throw malformed('the line of a boundary has more than the boundary');
}

/** Where the end of what has come may be the beginning of a delimiter; else its end. */
function beginOfDelimiter(bytes: Buffer, delimiter: Buffer): number {
  const start = Math.max(0, bytes.length - delimiter.length + 1);
  for (let at = bytes.indexOf(CRLF[0] ?? '', start); at >= 0; at = bytes.indexOf(CRLF[0] ?? '', at + 1)) {
    if (delimiter.subarray(0, bytes.length - at).equals(bytes.subarray(at))) return at;
  }
  return bytes.length;
}

/** @throws RequestFault `bad_request` for a head that two readers could take two ways, and a part that is encoded */
function readHead(bytes: Buffer): PartHead {
  const fields = new Map<string, string>();
  for (const line of bytes.toString('utf8').split(CRLF)) {
    if (line === '') continue;
    const [, name = '', value = ''] = /^([\w!#$%&'*+.^`|~-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name === '') throw malformed(`the head of a part has a line that is no header: ${shown(line)}`);
    if (fields.has(name.toLowerCase())) throw malformed(`the head of a part has ${name} twice`);
    fields.set(name.toLowerCase(), value);
  }
  const disposition = fields.get('content-disposition') ?? '';
  if (!/^form-data[ \t]*(?:;|$)/i.test(disposition)) {
    throw malformed('a part does not say Content-Disposition: form-data');
  }
  const name = parameterOf(disposition, 'name');
  if (name === undefined) throw malformed('the Content-Disposition of a part has no name');
  const encoding = (fields.get('content-transfer-encoding') ?? '7bit').toLowerCase();
  if (!PLAIN_ENCODINGS.includes(encoding)) {
    throw new RequestFault(
      'bad_request',
      `${name}: is encoded as ${shown(encoding)}: send its bytes as they are`,
    );
  }
  const [type = ''] = (fields.get('content-type') ?? 'text/plain').split(';');
  const fileName = parameterOf(disposition, 'filename');
  return { name, fileName: fileName === '' ? undefined : fileName, type: type.trim().toLowerCase() };
}

/** A parameter of a header, without its quotes. @throws RequestFault `bad_request` where it is there twice */
function parameterOf(header: string, name: string): string | undefined {
  const pattern = new RegExp(`;[ \\t]*${name}[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|([^;\\s"]*))`, 'gi');
  const found = [...header.matchAll(pattern)];
  if (found.length > 1) throw malformed(`a part has the parameter ${name} twice`);
  const [, quoted, plain] = found[0] ?? [];
  const value = quoted?.replace(/\\(["\\])/g, '$1') ?? plain;
  return value === undefined ? undefined : printable(value).slice(0, MOST_NAME);
}

function malformed(fault: string): RequestFault {
  return new RequestFault('bad_request', `body: is malformed as multipart/form-data: ${fault}`);
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
