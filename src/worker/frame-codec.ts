import { RunnerError } from '../errors.js';

/**
 * Frames of the worker protocol, without any I/O: a length of 4 bytes, unsigned, big-endian, then that many bytes of
 * one UTF-8 JSON object (protocol adapter specification of the SDK).
 */
const LENGTH_BYTES = 4;
const OPENING_BRACE = 0x7b;

/** Largest ceiling: under it the first byte of a frame is 0x00, which text never holds, so that frames can be found in text. */
export const MAX_FRAME_CEILING = 0x00ff_ffff;

/** What came out of the bytes, in order. */
export type DecodedItem =
  /** The body of a frame, unparsed. */
  | { kind: 'frame'; body: Buffer }
  /** Bytes that belong to no frame: what somebody printed. */
  | { kind: 'stray'; bytes: Buffer }
  /** A frame that was stepped over; `isLost` when there was something in it. */
  | { kind: 'fault'; message: string; isLost: boolean };

/**
 * One frame, ready to be written in one piece.
 * @throws RunnerError `invalid_params` past the ceiling, and for what JSON cannot say
 */
export function encodeFrame(message: object, maxBytes: number): Buffer {
  const text = toJson(message);
  const length = Buffer.byteLength(text);
  if (length > maxBytes) {
    throw new RunnerError(
      'invalid_params',
      `The message has ${length} bytes, more than the ${maxBytes} that a frame may have: send less in user_params, context or guide_info, or raise maxFrameBytes`,
    );
  }
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + length);
  frame.writeUInt32BE(length, 0);
  frame.write(text, LENGTH_BYTES);
  return frame;
}

function toJson(message: object): string {
  try {
    return JSON.stringify(message);
  } catch (cause) {
    throw new RunnerError(
      'invalid_params',
      `The message cannot be written as JSON: ${(cause as Error).message}. user_params, context and guide_info may hold ` +
        'plain values only: no bigint, nothing that refers to itself',
      { cause },
    );
  }
}

/** Takes bytes as they come and gives frames; what is between frames comes out as stray bytes, in its place. */
export class FrameDecoder {
  readonly #maxBytes: number;
  /** The length and the first byte of the body: enough to tell a frame from text. */
  readonly #head = Buffer.alloc(LENGTH_BYTES + 1);
  #headSize = 0;
  #segments: Buffer[] = [];
  /** Bytes of the body, and those of it that are still to come. */
  #length = 0;
  #missing = 0;
  #isSkipping = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  push(chunk: Buffer): DecodedItem[] {
    const items: DecodedItem[] = [];
    this.#read(chunk, items);
    return items;
  }

  /** Nothing more comes. What is left of a frame that was begun is a fault, or stray bytes if it never was one. */
  end(): DecodedItem[] {
    const items: DecodedItem[] = [];
    if (this.#headSize > 0) {
      items.push({ kind: 'stray', bytes: Buffer.from(this.#head.subarray(0, this.#headSize)) });
    } else if (this.#missing > 0) {
      const came = this.#length - this.#missing;
      const message = `a frame of which ${came} of ${this.#length} bytes came`;
      items.push({ kind: 'fault', message, isLost: false });
    }
    this.#headSize = 0;
    this.#missing = 0;
    this.#segments = [];
    return items;
  }

  #read(chunk: Buffer, items: DecodedItem[]): void {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#missing > 0) offset = this.#readBody(chunk, offset, items);
      else if (this.#headSize === 0 && chunk[offset] !== 0) offset = readStray(chunk, offset, items);
      else offset = this.#readHead(chunk, offset, items);
    }
  }

  #readHead(chunk: Buffer, offset: number, items: DecodedItem[]): number {
    const taken = chunk.copy(this.#head, this.#headSize, offset, offset + this.#head.length - this.#headSize);
    this.#headSize += taken;
    const next = offset + taken;
    if (this.#headSize < LENGTH_BYTES) return next;
    const length = this.#head.readUInt32BE(0);
    if (length === 0) {
      items.push({ kind: 'fault', message: 'a frame of length 0', isLost: false });
      return next - this.#dropHead(LENGTH_BYTES);
    }
    if (this.#headSize < this.#head.length) return next;
    if (this.#head[LENGTH_BYTES] !== OPENING_BRACE) {
      items.push({ kind: 'stray', bytes: Buffer.from(this.#head.subarray(0, 1)) });
      const rest = Buffer.from(this.#head.subarray(1));
      this.#headSize = 0;
      this.#read(rest, items);
      return next;
    }
    this.#isSkipping = length > this.#maxBytes;
    if (this.#isSkipping) {
      items.push({
        kind: 'fault',
        message: `a frame of ${length} bytes, over the ceiling of ${this.#maxBytes}`,
        isLost: true,
      });
    }
    this.#headSize = 0;
    this.#length = length;
    this.#missing = length;
    return next - 1; // the brace is the body's first byte
  }

  /** Forgets the head; gives how many bytes of it were read beyond `used`, to be read again. */
  #dropHead(used: number): number {
    const beyond = this.#headSize - used;
    this.#headSize = 0;
    return beyond;
  }

  #readBody(chunk: Buffer, offset: number, items: DecodedItem[]): number {
    const end = Math.min(offset + this.#missing, chunk.length);
    if (!this.#isSkipping) this.#segments.push(chunk.subarray(offset, end));
    this.#missing -= end - offset;
    if (this.#missing === 0 && !this.#isSkipping) {
      const [only] = this.#segments;
      const body = this.#segments.length === 1 && only ? only : Buffer.concat(this.#segments);
      items.push({ kind: 'frame', body });
      this.#segments = [];
    }
    return end;
  }
}

function readStray(chunk: Buffer, offset: number, items: DecodedItem[]): number {
  const zero = chunk.indexOf(0, offset);
  const end = zero === -1 ? chunk.length : zero;
  items.push({ kind: 'stray', bytes: chunk.subarray(offset, end) });
  return end;
}
